"""Judged answers for a tiny decoder, and the jobs to learn from them and to answer with what was learnt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tiny_parts import Voice

from factory.api import Adapter, Answer, Artifact, Base, FitJob, ModelJob, Provenance, Row, ScoreJob, TrainingArgs
from factory.ml.kit import load_kit
from factory_preference.assistant import Assistant, ThumbsAssistant

THINGS = ("sun", "moon", "star", "sky", "sea", "air", "fog", "ice")
RANK = Adapter(rank=4, alpha=8)


def pair(name: str, prompt: str, chosen: str, rejected: str, **more: Any) -> Row:
    return Row(name, {"prompt": prompt, "chosen": chosen, "rejected": rejected, **more}, Provenance("here"))


def thumb(name: str, prompt: str, answer: str, good: bool) -> Row:
    return Row(name, {"prompt": prompt, "answer": answer, "good": good}, Provenance("here"))


PAIRS = [pair(f"p{n}", f"say {thing}", f"{thing}!", f"no {thing}.") for n, thing in enumerate(THINGS)]
THUMBS = [
    thumb(f"t{n}", f"say {thing}", f"{thing}!" if n % 2 else f"no {thing}.", bool(n % 2))
    for n, thing in enumerate(THINGS)
]
PAIR_TASK, THUMB_TASK = Assistant(), ThumbsAssistant(feedback="thumbs")


def asked(base: Base, rows: list[Row], adapter: Path | None = None) -> ModelJob:
    task = THUMB_TASK if "good" in rows[0].columns else PAIR_TASK
    return ModelJob(
        seed=7, report=Voice(), root=Path(), kit_loader=load_kit, rows=rows, base=base, task=task,
        artifact=Artifact("adapter", adapter, base) if adapter else None,
    )


def fitting(base: Base, rows: list[Row], folder: Path, validation: tuple[Row, ...] = (), **settings: Any) -> FitJob:
    for name in ("out", "work"):
        (folder / name).mkdir(parents=True)
    train = {"epochs": 12, "batch_size": 4, "learning_rate": 0.01, "precision": "fp32", **settings}
    return FitJob(
        seed=7, report=Voice(), root=folder, kit_loader=load_kit, rows=rows, validation=validation, base=base,
        task=THUMB_TASK if "good" in rows[0].columns else PAIR_TASK, adapter=RANK,
        train=TrainingArgs.model_validate(train), out=folder / "out", work=folder / "work",
    )


def scoring(rows: list[Row], answers: list[Answer]) -> ScoreJob:
    return ScoreJob(7, Voice(), Path(), rows=rows, answers={answer.id: answer for answer in answers})


def score_each(gains: list[tuple[float, float]], text: str = "Yes.") -> list[Answer]:
    """Answers to the first pairs, with what the chosen and the rejected answer gained; they have two tokens each."""
    return [
        Answer(row.id, text, details={
            "chosen": one, "rejected": other, "chosen_per_token": one / 2, "rejected_per_token": other / 2,
        })
        for row, (one, other) in zip(PAIRS, gains, strict=False)
    ]
