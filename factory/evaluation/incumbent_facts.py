"""A version of a specialist as a baseline: the rows on which it is judged, and the words of that comparison.

A version may have been trained on rows that are test rows now. It is judged on the others. Where those are too few, or
where its training rows are no longer known, its own scores may be too high: tuned may then be shown to be better, but
not to be worse.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from factory.data.leakage import GROUP
from factory.evaluation.paired_tests import MIN_EFFECTIVE_GROUPS
from factory.evaluation.score_table import ScoreTable
from factory.evaluation.table_tests import TUNED
from factory.events import RuleState


@dataclass(frozen=True, slots=True)
class IncumbentFacts:
    """A version that answered the test rows. `seen` maps the rows that it was trained on to how; None if unknown."""

    contender: str
    label: str
    rows: int
    seen: Mapping[str, str] | None
    has_same_test: bool = False
    """Whether its own build was judged on the same test rows."""
    judged: tuple[str, ...] | None = None
    """The rows on which it is compared; None for all."""

    @classmethod
    def from_json(cls, contender: str, facts: Mapping[str, Any], table: ScoreTable) -> IncumbentFacts:
        """Return the facts in an incumbent.json, and choose the rows on which it is compared."""
        label, seen = f"{facts['specialist']}@{facts['version']}", facts["seen"]
        judged = choose_judged_rows(seen or {}, table)
        return cls(contender, label, int(facts["rows"]), seen, bool(facts["same_test"]), judged)

    @property
    def is_favoured(self) -> bool:
        """Whether it has, or may have, seen some of the rows that it is judged on."""
        return self.seen is None or bool(self.seen and self.judged is None)

    def choose_state(self, low: float, high: float, margin: float) -> RuleState:
        """Return what the interval of tuned's gain says: whether tuned is better by the margin, or worse."""
        if low > margin:
            return RuleState.MET
        return RuleState.FAILED if high < margin and not self.is_favoured else RuleState.OPEN

    def describe_state(self, low: float, high: float, margin: float) -> str:
        """Return what the interval says, in a sentence without a full stop."""
        served = f"what is served, {self.label}"
        match self.choose_state(low, high, margin):
            case RuleState.MET:
                return f"tuned is better than {served}"
            case RuleState.FAILED if high < 0:
                return f"tuned is worse than {served}: keep it"
            case RuleState.FAILED:
                return f"tuned is not better by the margin than {served}: keep it"
        return f"tuned is not shown to be better than {served}: keep it"

    def describe_seen(self) -> str:
        """Return which test rows it has seen in its training, and what follows, without a full stop."""
        name = f"the {self.contender}, {self.label},"
        if self.has_same_test:
            return f"{name} was judged on the same test rows, and has seen none of them in its training"
        if self.seen is None:
            reason = "its training rows are no longer stored, and its own test rows were others"
            return f"whether {name} has seen some of these {self.rows} test rows can not be known: {reason}"
        if not self.seen:
            return f"{name} has seen none of these {self.rows} test rows in its training"
        groups = Counter(self.seen.values())[GROUP]
        shared = f", {groups} of them by rows of their group" if groups else ""
        seen = f"{name} has seen {len(self.seen)} of these {self.rows} test rows in its training{shared}"
        if self.judged is not None:
            return f"{seen}: it is compared on the other {len(self.judged)}"
        return f"{seen}: it is compared on all of them, which favours it"

    def to_json(self, low: float, high: float, margin: float) -> dict[str, Any]:
        """Return the version as in gate.json, with the interval of tuned's gain over it."""
        return {
            "contender": self.contender, "version": self.label, "rows": self.rows,
            "seen": None if self.seen is None else len(self.seen),
            "judged": self.rows if self.judged is None else len(self.judged),
            "state": str(self.choose_state(low, high, margin)),
            "finding": self.describe_state(low, high, margin), "seen_finding": self.describe_seen(),
        }


def choose_judged_rows(seen: Mapping[str, str], table: ScoreTable) -> tuple[str, ...] | None:
    """Return the unseen rows; None for all, if none was seen, too few groups are left, or a total decides, which is
    one number of all rows."""
    clusters = table.get_clusters(TUNED)
    rows = tuple(row for row in sorted(clusters) if row not in seen)
    sizes = Counter(clusters[row] for row in rows).values()
    effective = sum(sizes) ** 2 / sum(size**2 for size in sizes) if sizes else 0.0
    is_possible = bool(seen) and not table.total and effective >= MIN_EFFECTIVE_GROUPS
    return rows if is_possible else None


def describe_absence(contender: str) -> str:
    """Return that a contender is left out, in a sentence without a full stop."""
    return f"the {contender} is left out: there was no other version to be better than when this was judged"
