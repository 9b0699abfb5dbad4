"""What decisions do to rows, and what they say about all of them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from factory.api import Row
from factory.data.review_decisions import ACCEPT, EDIT, REJECT, ReviewDecision
from factory.review.agreement import is_disputed, measure_agreement
from factory.review.row_content import RowContent
from factory.review.stratified_sampling import Stratifier

DIGITS = 6

CONFIDENCE = 0.95
PAST_TENSES = {ACCEPT: "accepted", REJECT: "rejected", EDIT: "edited"}
MAX_LISTED_STRATA = 40
"""Values of one part that review.json lists, those with most reviewed rows."""


@dataclass(frozen=True, slots=True)
class ReviewOutcome:
    """What becomes of a row: `accept`, `reject` or `edit` (then `target` replaces its answer), and why it goes."""

    verdict: str
    target: Mapping[str, Any] = field(default_factory=dict)
    why: str = ""


def adjudicate_decisions(words: Mapping[str, ReviewDecision]) -> ReviewOutcome:
    """One outcome of all reviewers' words on a row. The strictest word wins: reject, then edit, then accept.

    A row that one expert refuses is not learned from; nor is one that two experts would write differently, until one
    of them changes their word.
    """
    said = {word.verdict for word in words.values()}
    if REJECT in said:
        note = next((word.note for word in words.values() if word.verdict == REJECT and word.note), "")
        split = " by one reviewer, not by another" if len(said) > 1 else ""
        return ReviewOutcome(REJECT, why=f"rejected{split}{f': {note}' if note else ''}")
    edits = [dict(word.target) for word in words.values() if word.verdict == EDIT]
    if any(edit != edits[0] for edit in edits[1:]):
        return ReviewOutcome(REJECT, why="reviewers wrote different answers")
    return ReviewOutcome(EDIT, edits[0]) if edits else ReviewOutcome(ACCEPT)


def apply_outcome(row: Row, outcome: ReviewOutcome | None) -> Row | None:
    """The row as it goes on, its provenance saying what experts said; None when it does not."""
    if outcome is None:
        return row
    if outcome.verdict == REJECT:
        return None
    detail = {**row.provenance.detail, "reviewed": PAST_TENSES[outcome.verdict]}
    return replace(row.with_columns(**outcome.target), provenance=replace(row.provenance, detail=detail))


@dataclass(frozen=True, slots=True)
class _ReviewedRow:
    """One reviewed row, by the parts of its stratum."""

    parts: Mapping[str, str]
    outcome: ReviewOutcome


def summarise_review(
    rows: Sequence[Row], content: RowContent, decided: Mapping[str, Mapping[str, ReviewDecision]]
) -> dict[str, Any]:
    """The content of review.json. Rows with one content count each; decisions on rows that are not here are counted."""
    strata = Stratifier(rows, content)
    seen: list[_ReviewedRow] = []
    doubtful: Counter[bool] = Counter()
    here: dict[str, Mapping[str, ReviewDecision]] = {}
    for row in rows:
        stratum, key = strata.assign_stratum(row), content.compute_content_digest(row)
        doubtful[stratum.doubtful] += 1
        if key in decided:
            here[key] = decided[key]
            seen.append(_ReviewedRow(stratum.list_parts(), adjudicate_decisions(decided[key])))
    counts = Counter(PAST_TENSES[each.outcome.verdict] for each in seen)
    return {
        "rows": len(rows), "reviewed": len(seen), "share": _compute_review_share(len(seen), len(rows)),
        **{word: counts[word] for word in PAST_TENSES.values()},
        "acceptance": _estimate_acceptance(seen, doubtful),
        "interval": _compute_acceptance_interval(counts["accepted"], len(seen)),
        "reviewers": len({who for words in here.values() for who in words}),
        "elsewhere": len(decided.keys() - here.keys()), "disputed": sum(map(is_disputed, here.values())),
        **{name: value for name, value in measure_agreement(here).to_json().items() if name != "disputes"},
        "strata": list(_summarise_strata(seen)), "confidence": CONFIDENCE,
    }


def _estimate_acceptance(seen: Sequence[_ReviewedRow], doubtful: Mapping[bool, int]) -> float | None:
    """The share of all rows that experts would accept as they are; None before anything was reviewed.

    Doubtful rows are shown more often than others: where both were, each counts by how many there are.
    """
    shares: list[tuple[int, float]] = []
    for doubt, word in ((True, "doubtful"), (False, "none")):
        found = [each for each in seen if each.parts["doubt"] == word]
        if found:
            shares.append((doubtful[doubt], sum(each.outcome.verdict == ACCEPT for each in found) / len(found)))
    total = sum(count for count, _ in shares)
    return round(sum(count * share for count, share in shares) / total, DIGITS) if total else None


def _summarise_strata(seen: Iterable[_ReviewedRow]) -> Iterator[dict[str, Any]]:
    """For each value of each part of a stratum: how many were reviewed and accepted, with Wilson's interval."""
    found: defaultdict[tuple[str, str], list[bool]] = defaultdict(list)
    for each in seen:
        for part, value in each.parts.items():
            found[part, value].append(each.outcome.verdict == ACCEPT)
    ranked = sorted(found.items(), key=lambda item: (item[0][0], -len(item[1]), item[0][1]))
    listed: Counter[str] = Counter()
    for (part, value), said in ranked:
        listed[part] += 1
        if listed[part] <= MAX_LISTED_STRATA:
            yield {"part": part, "value": value, "reviewed": len(said), "accepted": sum(said),
                   "acceptance": _compute_review_share(sum(said), len(said)),
                   "interval": _compute_acceptance_interval(sum(said), len(said))}


def _compute_review_share(part: int, whole: int) -> float:
    return round(part / whole, DIGITS) if whole else 0.0


def _compute_acceptance_interval(accepted: int, reviewed: int) -> list[float]:
    if not reviewed:
        return []
    from scipy.stats import binomtest

    interval = binomtest(accepted, reviewed).proportion_ci(CONFIDENCE, method="wilson")
    return [round(float(end), DIGITS) for end in (interval.low, interval.high)]


def find_review_refusals(review: Mapping[str, Any], share: float, acceptance: float) -> list[str]:
    """Why rows so reviewed may not ship, in words; nothing when they may."""
    reviewed, rows = review["reviewed"], review["rows"]
    if not reviewed and (share or acceptance):
        return [f"no expert has looked at the training rows, and {share:.0%} of them must be reviewed"]
    found = []
    if review["share"] < share:
        found.append(f"{reviewed} of {rows} training rows were reviewed ({review['share']:.1%}); {share:.1%} must be")
    if review["acceptance"] is not None and review["acceptance"] < acceptance:
        found.append(
            f"experts would accept {review['acceptance']:.1%} of the training rows as they are; "
            f"{acceptance:.1%} is asked"
        )
    return found
