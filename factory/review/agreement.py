"""Agreement of reviewers: Cohen's κ (Cohen 1960) of each pair, and the rows on which they disagree."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from statistics import mean
from typing import Any

from factory.data.review_decisions import EDIT, ReviewDecision

KAPPA_DIGITS = 6


@dataclass(frozen=True, slots=True)
class ReviewerPair:
    """Two reviewers on the rows that both decided. `kappa` is None if all their decisions are the same."""

    a: str
    b: str
    rows: int
    agreed: int
    kappa: float | None


@dataclass(frozen=True, slots=True)
class Dispute:
    """A row on which reviewers disagree: reviewer → decision."""

    row: str
    decisions: Mapping[str, ReviewDecision]


@dataclass(frozen=True, slots=True)
class Agreement:
    """The agreement of all reviewers. `kappa` is the mean over pairs (Light 1971); None if no pair has one."""

    kappa: float | None
    pairs: tuple[ReviewerPair, ...]
    disputes: tuple[Dispute, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the agreement with the number of disputes only."""
        return {"kappa": self.kappa, "pairs": [asdict(pair) for pair in self.pairs], "disputes": len(self.disputes)}


def measure_agreement(decided: Mapping[str, Mapping[str, ReviewDecision]]) -> Agreement:
    """Return the agreement of final decisions: row → reviewer → decision. Equal edits agree."""
    reviewers = sorted({reviewer for decisions in decided.values() for reviewer in decisions})
    pairs = [_compare_reviewers(a, b, decided) for a, b in combinations(reviewers, 2)]
    kappas = [pair.kappa for pair in pairs if pair.kappa is not None]
    disputes = tuple(Dispute(row, decisions) for row, decisions in sorted(decided.items()) if is_disputed(decisions))
    kappa = round(mean(kappas), KAPPA_DIGITS) if kappas else None
    return Agreement(kappa, tuple(pair for pair in pairs if pair.rows), disputes)


def is_disputed(decisions: Mapping[str, ReviewDecision]) -> bool:
    """Return whether the reviewers of a row disagree."""
    first, *others = decisions.values()
    return any(_is_conflicting(first, other) for other in others)


def _is_conflicting(one: ReviewDecision, other: ReviewDecision) -> bool:
    return _name_category(one) != _name_category(other)


def _compare_reviewers(a: str, b: str, decided: Mapping[str, Mapping[str, ReviewDecision]]) -> ReviewerPair:
    pairs = [(decisions[a], decisions[b]) for decisions in decided.values() if a in decisions and b in decisions]
    agreed = sum(not _is_conflicting(one, other) for one, other in pairs)
    kappa = compute_kappa([_name_category(one) for one, _ in pairs], [_name_category(other) for _, other in pairs])
    return ReviewerPair(a, b, len(pairs), agreed, kappa)


def _name_category(decision: ReviewDecision) -> str:
    """Return what κ counts as one category: the verdict, and for an edit also what was written."""
    if decision.verdict != EDIT:
        return decision.verdict
    written = json.dumps(dict(decision.target), sort_keys=True, ensure_ascii=False)
    return unicodedata.normalize("NFC", f"{EDIT} {written}")


def compute_kappa(ours: Sequence[str], theirs: Sequence[str]) -> float | None:
    """Return the agreement beyond chance, at most 1; None if all decisions are the same, when κ is undefined."""
    if len({*ours, *theirs}) < 2:
        return None
    from sklearn.metrics import cohen_kappa_score

    return round(float(cohen_kappa_score(list(ours), list(theirs))), KAPPA_DIGITS)
