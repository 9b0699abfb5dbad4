"""A reviewer's desk over rows of a classifier, without a build."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from factory.api import Provenance, Row
from factory.review import ReviewSession, RowContent, build_review_queue
from factory_classify.task import Classifier

LABELS = ("billing", "refund", "shipping")


def row(number: int, label: str = "", text: str = "", **detail: Any) -> Row:
    made = f"maker{number % 2}" if number % 3 else ""
    origin = Provenance("rows.jsonl", number, generator=made, detail=detail)
    columns = {"text": text or f"question number {number}", "label": label or LABELS[number % 3]}
    return Row(f"r{number}", columns, origin)


def rows(count: int) -> list[Row]:
    return [row(number) for number in range(count)]


def desk(folder: Path, made: Sequence[Row], reviewer: str = "ana", count: int = 0) -> ReviewSession:
    task = Classifier()
    content = RowContent.from_task(task)
    items = build_review_queue(made, content, count or len(made), 7)
    choices = frozenset(str(each["label"]) for each in made)
    return ReviewSession(folder / "review.jsonl", reviewer, items, task, {}, content, choices)
