"""Selection of the best way to prompt (arm) by its score on validation rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from factory.api import AnswerJob, Row
from factory_contenders.prompt_runner import ArmAnswers, PromptArm, PromptRunner

FEW_ARMS, MANY_ROWS = 3, 24
"""With more arms and at least this many rows, a third of the rows decides which half of the arms gets the rest."""


@dataclass(frozen=True, slots=True)
class ArmResult:
    """An arm, a reading of its outputs (plain or calibrated), and the score of that reading on a number of rows."""

    arm: PromptArm
    reading: str
    validation_score: float
    rows: int
    mean_prompt_tokens: float
    examples_left_out: int

    @property
    def rank(self) -> tuple[int, float, float]:
        """Sort key, higher is better: more rows, then a higher score, then shorter prompts."""
        return self.rows, self.validation_score, -self.mean_prompt_tokens

    def build_report_entry(self) -> dict[str, Any]:
        """Return the entry of the report."""
        selection = self.arm.selection if self.arm.shots else "none"
        return {
            "arm": self.arm.name, "shots": self.arm.shots, "selection": selection, "reading": self.reading,
            "worth": round(self.validation_score, 6), "rows": self.rows,
            "prompt_tokens": round(self.mean_prompt_tokens, 1), "dropped": self.examples_left_out,
        }


def rank_prompt_arms(
    runner: PromptRunner, job: AnswerJob, arms: Sequence[PromptArm], rows: Sequence[Row]
) -> list[ArmResult]:
    """Score every arm and sort the results, best first. Many arms are halved once, as in successive halving."""
    # One halving saves a third of the prompts; a second would leave too few rows to tell arms apart.
    halved = len(arms) > FEW_ARMS and len(rows) >= MANY_ROWS
    first_rows = rows[: len(rows) // 3] if halved else rows
    total = len(arms) + (len(arms) + 1) // 2 * halved
    answers: dict[PromptArm, ArmAnswers] = {}
    for arm in arms:
        answers[arm] = runner.run_arm(first_rows, arm)
        job.report.report_progress(len(answers), total, "arms")
    results = [result for arm in arms for result in _score_prompt_arm(job, arm, answers[arm], first_rows)]
    results.sort(key=lambda result: result.rank, reverse=True)
    if not halved:
        return results
    finalists = list(dict.fromkeys(result.arm for result in results))[: total - len(arms)]
    ranked = [result for result in results if result.arm not in finalists]
    for number, arm in enumerate(finalists, len(arms) + 1):
        all_answers = answers[arm] + runner.run_arm(rows[len(first_rows):], arm)
        ranked += _score_prompt_arm(job, arm, all_answers, rows)
        job.report.report_progress(number, total, "arms")
    return sorted(ranked, key=lambda result: result.rank, reverse=True)


def _score_prompt_arm(
    job: AnswerJob, arm: PromptArm, answers: ArmAnswers, rows: Sequence[Row]
) -> list[ArmResult]:
    scores = {name: job.compute_validation_score(rows, variant) for name, variant in answers.variants.items()}
    tokens, left_out = answers.mean_prompt_tokens, answers.examples_left_out
    return [ArmResult(arm, reading, score, len(rows), tokens, left_out) for reading, score in scores.items()]
