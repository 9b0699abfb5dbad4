"""Which way to prompt is the best, by what its answers to validation rows are worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from factory.api import Row
from factory_contenders.prompt_runner import ArmAnswers, PromptArm, PromptRunner

FEW_ARMS, MANY_ROWS = 3, 24
"""With more arms than these, and so many rows, a third of the rows says which half of the arms sees the others."""


@dataclass(frozen=True, slots=True)
class ArmResult:
    """An arm, one reading of what it said, and what that was worth on so many rows."""

    arm: PromptArm
    reading: str
    validation_score: float
    rows: int
    mean_prompt_tokens: float
    examples_left_out: int

    @property
    def rank(self) -> tuple[int, float, float]:
        """Higher is better: seen on more rows, worth more, asked with less."""
        return self.rows, self.validation_score, -self.mean_prompt_tokens

    def build_report_entry(self) -> dict[str, Any]:
        """What a report says of it."""
        selection = self.arm.selection if self.arm.shots else "none"
        return {
            "arm": self.arm.name, "shots": self.arm.shots, "selection": selection, "reading": self.reading,
            "worth": round(self.validation_score, 6), "rows": self.rows,
            "prompt_tokens": round(self.mean_prompt_tokens, 1), "dropped": self.examples_left_out,
        }


def rank_prompt_arms(asking: PromptRunner, arms: Sequence[PromptArm], rows: Sequence[Row]) -> list[ArmResult]:
    """What every arm was worth, the best one first. Many arms are halved once, as in successive halving."""
    halved = len(arms) > FEW_ARMS and len(rows) >= MANY_ROWS
    first = rows[: len(rows) // 3] if halved else rows
    total = len(arms) + (len(arms) + 1) // 2 * halved
    told: dict[PromptArm, ArmAnswers] = {}
    for arm in arms:
        told[arm] = asking.run_arm(first, arm)
        asking.job.report.report_progress(len(told), total, "arms")
    tried = [each for arm in arms for each in _score_prompt_arm(asking, arm, told[arm], first)]
    if not halved:
        return sorted(tried, key=lambda each: each.rank, reverse=True)
    order = dict.fromkeys(each.arm for each in sorted(tried, key=lambda each: each.rank, reverse=True))
    kept = list(order)[: total - len(arms)]
    left = [each for each in tried if each.arm not in kept]
    for done, arm in enumerate(kept, len(arms) + 1):
        whole = told[arm] + asking.run_arm(rows[len(first):], arm)
        left += _score_prompt_arm(asking, arm, whole, rows)
        asking.job.report.report_progress(done, total, "arms")
    return sorted(left, key=lambda each: each.rank, reverse=True)


def _score_prompt_arm(asking: PromptRunner, arm: PromptArm, told: ArmAnswers, rows: Sequence[Row]) -> list[ArmResult]:
    return [
        ArmResult(
            arm, reading, asking.job.compute_validation_score(rows, answers), len(rows), told.mean_prompt_tokens,
            told.examples_left_out
        )
        for reading, answers in told.variants.items()
    ]
