"""What decisions do to rows, and what they say about all of them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from factory.api import Row
from factory.data.stats import DIGITS, wilson
from factory.review.agreement import agreement, disputed
from factory.review.content import Content
from factory.review.decisions import ACCEPT, EDIT, REJECT, Said
from factory.review.strata import Strata

CONFIDENCE = 0.95
PAST = {ACCEPT: "accepted", REJECT: "rejected", EDIT: "edited"}
LABELS = 40
"""Values of one part that review.json lists, those with most reviewed rows."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What becomes of a row: `accept`, `reject` or `edit` (then `target` replaces its answer), and why it goes."""

    verdict: str
    target: Mapping[str, Any] = field(default_factory=dict)
    why: str = ""


def settle(words: Mapping[str, Said]) -> Outcome:
    """One outcome of all reviewers' words on a row. The strictest word wins: reject, then edit, then accept.

    A row that one expert refuses is not learned from; nor is one that two experts would write differently, until one
    of them changes their word.
    """
    said = {word.verdict for word in words.values()}
    if REJECT in said:
        note = next((word.note for word in words.values() if word.verdict == REJECT and word.note), "")
        split = " by one reviewer, not by another" if len(said) > 1 else ""
        return Outcome(REJECT, why=f"rejected{split}{f': {note}' if note else ''}")
    edits = [dict(word.target) for word in words.values() if word.verdict == EDIT]
    if any(edit != edits[0] for edit in edits[1:]):
        return Outcome(REJECT, why="reviewers wrote different answers")
    return Outcome(EDIT, edits[0]) if edits else Outcome(ACCEPT)


def applied(row: Row, outcome: Outcome | None) -> Row | None:
    """The row as it goes on, its provenance saying what experts said; None when it does not."""
    if outcome is None:
        return row
    if outcome.verdict == REJECT:
        return None
    detail = {**row.provenance.detail, "reviewed": PAST[outcome.verdict]}
    return replace(row.with_columns(**outcome.target), provenance=replace(row.provenance, detail=detail))


@dataclass(frozen=True, slots=True)
class _Seen:
    """One reviewed row, by the parts of its stratum."""

    parts: Mapping[str, str]
    outcome: Outcome


def facts(rows: Sequence[Row], content: Content, decided: Mapping[str, Mapping[str, Said]]) -> dict[str, Any]:
    """The content of review.json. Rows with one content count each; decisions on rows that are not here are counted."""
    strata = Strata(rows, content)
    seen: list[_Seen] = []
    doubtful: Counter[bool] = Counter()
    here: dict[str, Mapping[str, Said]] = {}
    for row in rows:
        stratum, key = strata.of(row), content.digest(row)
        doubtful[stratum.doubtful] += 1
        if key in decided:
            here[key] = decided[key]
            seen.append(_Seen(stratum.parts(), settle(decided[key])))
    counts = Counter(PAST[each.outcome.verdict] for each in seen)
    return {
        "rows": len(rows), "reviewed": len(seen), "share": _share(len(seen), len(rows)),
        **{word: counts[word] for word in PAST.values()},
        "acceptance": _acceptance(seen, doubtful), "interval": _interval(counts["accepted"], len(seen)),
        "reviewers": len({who for words in here.values() for who in words}),
        "elsewhere": len(decided.keys() - here.keys()), "disputed": sum(map(disputed, here.values())),
        **{name: value for name, value in agreement(here).to_json().items() if name != "disputes"},
        "strata": list(_by_part(seen)), "confidence": CONFIDENCE,
    }


def _acceptance(seen: Sequence[_Seen], doubtful: Mapping[bool, int]) -> float | None:
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


def _by_part(seen: Iterable[_Seen]) -> Iterator[dict[str, Any]]:
    """For each value of each part of a stratum: how many were reviewed and accepted, with Wilson's interval."""
    found: defaultdict[tuple[str, str], list[bool]] = defaultdict(list)
    for each in seen:
        for part, value in each.parts.items():
            found[part, value].append(each.outcome.verdict == ACCEPT)
    ranked = sorted(found.items(), key=lambda item: (item[0][0], -len(item[1]), item[0][1]))
    listed: Counter[str] = Counter()
    for (part, value), said in ranked:
        listed[part] += 1
        if listed[part] <= LABELS:
            yield {"part": part, "value": value, "reviewed": len(said), "accepted": sum(said),
                   "acceptance": _share(sum(said), len(said)), "interval": _interval(sum(said), len(said))}


def _share(part: int, whole: int) -> float:
    return round(part / whole, DIGITS) if whole else 0.0


def _interval(accepted: int, reviewed: int) -> list[float]:
    if not reviewed:
        return []
    return [round(end, DIGITS) for end in wilson(accepted, reviewed, CONFIDENCE)]


def refused(review: Mapping[str, Any], share: float, acceptance: float) -> list[str]:
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
