"""Which way to prompt is the best, by what its answers to validation rows are worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from factory.api import Row
from factory_contenders.asking import Arm, Asking, Told

FEW_ARMS, MANY_ROWS = 3, 24
"""With more arms than these, and so many rows, a third of the rows says which half of the arms sees the others."""


@dataclass(frozen=True, slots=True)
class Tried:
    """An arm, one reading of what it said, and what that was worth on so many rows."""

    arm: Arm
    reading: str
    worth: float
    rows: int
    tokens: float
    dropped: int

    @property
    def rank(self) -> tuple[int, float, float]:
        """Higher is better: seen on more rows, worth more, asked with less."""
        return self.rows, self.worth, -self.tokens

    def facts(self) -> dict[str, Any]:
        """What a report says of it."""
        selection = self.arm.selection if self.arm.shots else "none"
        return {
            "arm": self.arm.name, "shots": self.arm.shots, "selection": selection, "reading": self.reading,
            "worth": round(self.worth, 6), "rows": self.rows,
            "prompt_tokens": round(self.tokens, 1), "dropped": self.dropped,
        }


def choose(asking: Asking, arms: Sequence[Arm], rows: Sequence[Row]) -> list[Tried]:
    """What every arm was worth, the best one first. Many arms are halved once, as in successive halving."""
    halved = len(arms) > FEW_ARMS and len(rows) >= MANY_ROWS
    first = rows[: len(rows) // 3] if halved else rows
    total = len(arms) + (len(arms) + 1) // 2 * halved
    told: dict[Arm, Told] = {}
    for arm in arms:
        told[arm] = asking.ask(first, arm)
        asking.job.report.report_progress(len(told), total, "arms")
    tried = [each for arm in arms for each in _worth(asking, arm, told[arm], first)]
    if not halved:
        return sorted(tried, key=lambda each: each.rank, reverse=True)
    order = dict.fromkeys(each.arm for each in sorted(tried, key=lambda each: each.rank, reverse=True))
    kept = list(order)[: total - len(arms)]
    left = [each for each in tried if each.arm not in kept]
    for done, arm in enumerate(kept, len(arms) + 1):
        whole = told[arm] + asking.ask(rows[len(first):], arm)
        left += _worth(asking, arm, whole, rows)
        asking.job.report.report_progress(done, total, "arms")
    return sorted(left, key=lambda each: each.rank, reverse=True)


def _worth(asking: Asking, arm: Arm, told: Told, rows: Sequence[Row]) -> list[Tried]:
    return [
        Tried(arm, reading, asking.job.compute_validation_score(rows, answers), len(rows), told.tokens, told.dropped)
        for reading, answers in told.variants.items()
    ]
