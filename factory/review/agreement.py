"""Whether reviewers say the same: Cohen's κ (Cohen 1960) of each two of them, and the rows where they do not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from statistics import mean
from typing import Any

from factory.data.review_decisions import EDIT, ReviewDecision

KAPPA_DIGITS = 6


@dataclass(frozen=True, slots=True)
class ReviewerPair:
    """Two reviewers on the rows that both decided. `kappa` is None where both always said one and the same word."""

    a: str
    b: str
    rows: int
    agreed: int
    kappa: float | None


@dataclass(frozen=True, slots=True)
class Dispute:
    """A row on which reviewers differ: reviewer → their word."""

    row: str
    decisions: Mapping[str, ReviewDecision]


@dataclass(frozen=True, slots=True)
class Agreement:
    """What reviewers have in common. `kappa` is the mean over pairs (Light 1971); None when it can not be told."""

    kappa: float | None
    pairs: tuple[ReviewerPair, ...]
    disputes: tuple[Dispute, ...]

    def to_json(self) -> dict[str, Any]:
        """Without the words themselves."""
        return {"kappa": self.kappa, "pairs": [asdict(pair) for pair in self.pairs], "disputes": len(self.disputes)}


def measure_agreement(decided: Mapping[str, Mapping[str, ReviewDecision]]) -> Agreement:
    """Of standing decisions, row → reviewer → word. Two edits agree when they write the same."""
    reviewers = sorted({who for words in decided.values() for who in words})
    pairs = [_compare_reviewers(a, b, decided) for a, b in combinations(reviewers, 2)]
    there = tuple(pair for pair in pairs if pair.rows)
    known = [pair.kappa for pair in there if pair.kappa is not None]
    disputes = tuple(Dispute(row, words) for row, words in sorted(decided.items()) if is_disputed(words))
    return Agreement(round(mean(known), KAPPA_DIGITS) if known else None, there, disputes)


def is_disputed(words: Mapping[str, ReviewDecision]) -> bool:
    """Whether the reviewers of a row say different things."""
    said = list(words.values())
    return any(_is_conflicting(said[0], other) for other in said[1:])


def _is_conflicting(one: ReviewDecision, other: ReviewDecision) -> bool:
    return one.verdict != other.verdict or (one.verdict == EDIT and dict(one.target) != dict(other.target))


def _compare_reviewers(a: str, b: str, decided: Mapping[str, Mapping[str, ReviewDecision]]) -> ReviewerPair:
    both = [(words[a], words[b]) for words in decided.values() if a in words and b in words]
    agreed = sum(not _is_conflicting(one, other) for one, other in both)
    return ReviewerPair(
        a, b, len(both), agreed, compute_kappa([one.verdict for one, _ in both], [other.verdict for _, other in both])
    )


def compute_kappa(ours: Sequence[str], theirs: Sequence[str]) -> float | None:
    """Agreement beyond chance of two lists of words, 1 at most; None when all words are one, so that chance is all."""
    if len({*ours, *theirs}) < 2:
        return None
    from sklearn.metrics import cohen_kappa_score

    return round(float(cohen_kappa_score(list(ours), list(theirs))), KAPPA_DIGITS)
