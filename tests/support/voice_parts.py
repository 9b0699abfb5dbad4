"""A small brand that says "Ahoy" and lets things sail, plain rows beside it, and an embedder that hashes words."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rerank_parts import HashKit
from tiny_parts import Voice as Reporter

from factory.api import Answer, Base, Provenance, Row, RowsJob, ScoreJob

HERE = Provenance("parts")
EMBEDDER = Base(Path("nowhere"), "hash", "1", "0", "MIT")
THINGS = [
    ("tent", 3, "the pegs follow by letter"), ("kettle", 12, "its lid is packed apart"),
    ("blanket", 7, "a card goes with it"), ("lamp", 25, "oil is not included"),
    ("rope", 4, "it comes in one coil"), ("axe", 9, "an adult has to sign"),
    ("stove", 16, "gas can not be posted"), ("hat", 2, "the brim is wrapped in paper"),
    ("knife", 31, "its sheath is dark leather"), ("chair", 8, "two people should carry it"),
]


def row(name: str, days: int, more: str) -> Row:
    """One row of the brand."""
    return Row(f"{name}-1", {
        "question": f"When do I get the {name}?",
        "neutral": f"The {name} will be delivered in {days} days. Please note that {more}.",
        "answer": f"Ahoy, friend. Your {name} sets sail and lands in {days} days. Mark that {more}, says the crew.",
    }, HERE, name)


ROWS = [row(*thing) for thing in THINGS]
TRAIN, VALIDATION, TEST = ROWS[:6], ROWS[6:8], ROWS[8:]


def scoring(said: Sequence[str], rows: Sequence[Row] = TEST) -> ScoreJob:
    """A job that scores these texts as answers to the rows."""
    answers = {row.id: Answer(row.id, text) for row, text in zip(rows, said, strict=True)}
    return ScoreJob(
        7, Reporter(), Path(), kit_loader=HashKit, models={"embedder": EMBEDDER},  # type: ignore[arg-type]
        rows=rows, answers=answers, train=TRAIN, validation=VALIDATION,
    )


def auditing(rows: Sequence[Row], reporter: Any) -> RowsJob:
    """A job that audits these rows."""
    return RowsJob(7, reporter, Path(), rows=rows)
