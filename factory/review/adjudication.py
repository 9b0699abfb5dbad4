"""Turn the decisions of reviewers into outcomes for rows, and summarise a review."""

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
"""Number of values per part of a stratum that review.json lists, those with most reviewed rows first."""


@dataclass(frozen=True, slots=True)
class ReviewOutcome:
    """The outcome for a row: `accept`, `reject` with the reason, or `edit` (`target` replaces its answer)."""

    verdict: str
    target: Mapping[str, Any] = field(default_factory=dict)
    why: str = ""


def adjudicate_decisions(decisions: Mapping[str, ReviewDecision]) -> ReviewOutcome:
    """Combine all reviewers' decisions on a row; the strictest wins: reject, then edit, then accept.

    A row that one reviewer rejects is dropped, as is one that two reviewers edit differently.
    """
    verdicts = {decision.verdict for decision in decisions.values()}
    if REJECT in verdicts:
        note = next((d.note for d in decisions.values() if d.verdict == REJECT and d.note), "")
        split = " by one reviewer, not by another" if len(verdicts) > 1 else ""
        return ReviewOutcome(REJECT, why=f"rejected{split}{f': {note}' if note else ''}")
    edits = [dict(decision.target) for decision in decisions.values() if decision.verdict == EDIT]
    if any(edit != edits[0] for edit in edits[1:]):
        return ReviewOutcome(REJECT, why="reviewers wrote different answers")
    return ReviewOutcome(EDIT, edits[0]) if edits else ReviewOutcome(ACCEPT)


def apply_outcome(row: Row, outcome: ReviewOutcome | None) -> Row | None:
    """Return the row with its edits, and the review in its provenance; None if it is rejected."""
    if outcome is None:
        return row
    if outcome.verdict == REJECT:
        return None
    detail = {**row.provenance.detail, "reviewed": PAST_TENSES[outcome.verdict]}
    return replace(row.with_columns(**outcome.target), provenance=replace(row.provenance, detail=detail))


ReviewedRow = tuple[Mapping[str, str], bool]
"""The parts of a reviewed row's stratum, and whether it was accepted unchanged."""


def summarise_review(
    rows: Sequence[Row], content: RowContent, decided: Mapping[str, Mapping[str, ReviewDecision]]
) -> dict[str, Any]:
    """Return the content of review.json from the decisions by row digest and reviewer.

    Rows with the same content count separately; decisions on rows that no longer exist are only counted.
    """
    strata = Stratifier(rows, content)
    reviewed: list[ReviewedRow] = []
    doubtful: Counter[bool] = Counter()
    counts: Counter[str] = Counter()
    current: dict[str, Mapping[str, ReviewDecision]] = {}
    for row in rows:
        stratum, key = strata.assign_stratum(row), content.compute_content_digest(row)
        doubtful[stratum.doubtful] += 1
        if key in decided:
            current[key] = decided[key]
            verdict = adjudicate_decisions(decided[key]).verdict
            counts[PAST_TENSES[verdict]] += 1
            reviewed.append((stratum.list_parts(), verdict == ACCEPT))
    return {
        "rows": len(rows), "reviewed": len(reviewed), "share": _compute_review_share(len(reviewed), len(rows)),
        **{name: counts[name] for name in PAST_TENSES.values()},
        "acceptance": _estimate_acceptance(reviewed, doubtful),
        "interval": _compute_acceptance_interval(counts["accepted"], len(reviewed)),
        "reviewers": len({reviewer for decisions in current.values() for reviewer in decisions}),
        "elsewhere": len(decided.keys() - current.keys()), "disputed": sum(map(is_disputed, current.values())),
        **{name: value for name, value in measure_agreement(current).to_json().items() if name != "disputes"},
        "strata": list(_summarise_strata(reviewed)), "confidence": CONFIDENCE,
    }


def _estimate_acceptance(reviewed: Sequence[ReviewedRow], doubtful: Mapping[bool, int]) -> float | None:
    """Estimate the share of all rows that experts would accept unchanged; None if no row was reviewed.

    Doubtful rows are sampled more often, so doubtful and other rows are weighted by their numbers.
    """
    shares: list[tuple[int, float]] = []
    for doubt, name in ((True, "doubtful"), (False, "none")):
        accepted = [is_accepted for parts, is_accepted in reviewed if parts["doubt"] == name]
        if accepted:
            shares.append((doubtful[doubt], sum(accepted) / len(accepted)))
    total = sum(count for count, _ in shares)
    return round(sum(count * share for count, share in shares) / total, DIGITS) if total else None


def _summarise_strata(reviewed: Iterable[ReviewedRow]) -> Iterator[dict[str, Any]]:
    """Yield the reviewed and accepted rows for each value of each part of a stratum, with Wilson's interval."""
    strata: defaultdict[tuple[str, str], list[bool]] = defaultdict(list)
    for parts, is_accepted in reviewed:
        for part_value in parts.items():
            strata[part_value].append(is_accepted)
    listed: Counter[str] = Counter()
    for (part, value), accepted in sorted(strata.items(), key=lambda item: (item[0][0], -len(item[1]), item[0][1])):
        listed[part] += 1
        if listed[part] <= MAX_LISTED_STRATA:
            yield {"part": part, "value": value, "reviewed": len(accepted), "accepted": sum(accepted),
                   "acceptance": _compute_review_share(sum(accepted), len(accepted)),
                   "interval": _compute_acceptance_interval(sum(accepted), len(accepted))}


def _compute_review_share(part: int, whole: int) -> float:
    return round(part / whole, DIGITS) if whole else 0.0


def _compute_acceptance_interval(accepted: int, reviewed: int) -> list[float]:
    if not reviewed:
        return []
    from scipy.stats import binomtest

    interval = binomtest(accepted, reviewed).proportion_ci(CONFIDENCE, method="wilson")
    return [round(float(end), DIGITS) for end in (interval.low, interval.high)]


def find_review_refusals(review: Mapping[str, Any], share: float, acceptance: float) -> list[str]:
    """List why the review does not allow to ship; empty if it does."""
    reviewed, rows = review["reviewed"], review["rows"]
    if not reviewed and (share or acceptance):
        return ["no expert has reviewed the training rows, which data.review requires"]
    refusals = []
    if review["share"] < share:
        refusals.append(
            f"{reviewed} of {rows} training rows were reviewed ({review['share']:.1%}); data.review.share requires "
            f"{share:.1%}"
        )
    if review["acceptance"] is not None and review["acceptance"] < acceptance:
        refusals.append(
            f"experts accept {review['acceptance']:.1%} of the training rows unchanged; data.review.acceptance "
            f"requires {acceptance:.1%}"
        )
    return refusals
