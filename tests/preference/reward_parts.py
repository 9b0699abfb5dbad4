"""Pairs for a reward model, and the jobs to learn from them and to reward with what was learnt."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from preference_parts import PAIRS, fitting
from tiny_parts import Voice

from factory.api import Answer, Artifact, Base, FitJob, ModelJob, Row, ScoreJob
from factory.api.training_args import BackendChoice
from factory.ml.kit import load_kit
from factory_preference.reward_task import RewardModel

TASK = RewardModel()


def with_answers(row: Row) -> Row:
    """The row as `prepare` leaves it."""
    return row.with_columns(answers=sorted((row["chosen"], row["rejected"])))


REWARDED = [with_answers(row) for row in PAIRS]


def fit_rewards(base: Base, folder: Path, backend: BackendChoice = "auto", **settings: Any) -> FitJob:
    job = fitting(base, REWARDED, folder, **settings)
    return replace(job, task=TASK, kit_loader=partial(load_kit, backend))


def ask_rewards(base: Base, rows: list[Row], adapter: Path | None = None, backend: BackendChoice = "auto") -> ModelJob:
    return ModelJob(
        seed=7, report=Voice(), root=Path(), kit_loader=partial(load_kit, backend), rows=rows, base=base, task=TASK,
        artifact=Artifact("adapter", adapter, base) if adapter else None,
    )


def score_margins(margins: list[float]) -> ScoreJob:
    """Answers to the first pairs whose chosen answer has this much more reward than the other one."""
    rows = REWARDED[: len(margins)]
    answers = {
        row.id: Answer(row.id, [margin if text == row["chosen"] else 0.0 for text in row["answers"]])
        for row, margin in zip(rows, margins, strict=True)
    }
    return ScoreJob(7, Voice(), Path(), rows=rows, answers=answers)
