"""A task that writes texts, and jobs that score answers to its rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from prompted_parts import Shouting
from tiny_parts import Voice

from factory.api import Answer, Eval, Provenance, Row, ScoreJob


def write_rows(*rights: str, **columns: Any) -> list[Row]:
    """Rows with these right answers."""
    return [
        Row(f"r{n}", {"text": f"text {n}", "loud": right, **columns}, Provenance("here"))
        for n, right in enumerate(rights)
    ]


def build_job(rows: Sequence[Row], texts: Sequence[str], **more: Any) -> ScoreJob:
    answers = {row.id: Answer(row.id, text) for row, text in zip(rows, texts, strict=True)}
    return ScoreJob(7, Voice(), Path(), rows=rows, answers=answers, **{"task": Shouting(), **more})


def list_scores(plugin: Eval, pairs: Sequence[tuple[str, str]], **more: Any) -> list[dict[str, float]]:
    """The scores of (right answer, answer)."""
    job = build_job(write_rows(*(right for right, _ in pairs)), [text for _, text in pairs], **more)
    return [dict(scores.values) for scores in plugin.score(job)]


def build_job_of(rows: Sequence[Row], job: ScoreJob) -> ScoreJob:
    """The same answers to other rows."""
    return replace(job, rows=rows)
