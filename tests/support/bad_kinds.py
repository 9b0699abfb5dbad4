"""Plugins that each break one promise, for the conformance kit to find."""

from __future__ import annotations

import os
import random
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

from pydantic import ConfigDict, Field

from factory.api import (
    Answer,
    AnswerJob,
    Contender,
    Curator,
    Decision,
    Eval,
    Job,
    Metric,
    Provenance,
    Row,
    RowsJob,
    ScoreJob,
    Scores,
    Source,
    Synthesizer,
    make_synthetic_row,
)


class Good(Curator):
    """Keeps every row that has a text."""

    kind = "good"
    columns = ("text",)

    def curate(self, job: RowsJob) -> Iterator[Decision]:
        for row in job.rows:
            yield Decision(row.id, bool(row["text"]), "" if row["text"] else "no text")


class Open(Good):
    """Accepts any field."""

    model_config = ConfigDict(frozen=False, extra="allow")
    kind = "open"


class Undescribed(Good):
    """Has a field that says nothing of itself."""

    kind = "undescribed"
    words: int = 3


class Mute(Good):
    kind = "mute"


class Unwritable(Good):
    """Has a field that no editor can complete."""

    kind = "unwritable"
    call: Callable[[str], bool] | None = Field(None, description="what decides")


class Older(Good):
    """Was written for another contract."""

    kind = "older"
    contract = 0


class Misnamed(Good):
    """Has a kind that no spec can say."""

    kind = "Mis Named"


class Idle(Good):
    """Declares a column that it never reads."""

    kind = "idle"
    columns = ("text", "label")


class Secret(Good):
    """Reads a column that it does not declare."""

    kind = "secret"

    def curate(self, job: RowsJob) -> Iterator[Decision]:
        yield from (Decision(row.id, bool(row["text"] and row["label"]), "no label") for row in job.rows)


class Drawn(Curator):
    """Draws without the seed."""

    kind = "drawn"

    def curate(self, job: RowsJob) -> Iterator[Decision]:
        for row in job.rows:
            kept = random.random() < 0.5
            yield Decision(row.id, kept, "" if kept else "drawn")


class Hashed(Synthesizer):
    """Lets a set decide the order of words."""

    kind = "hashed"
    columns = ("text",)

    def synthesize(self, job: RowsJob) -> Iterator[Row]:
        for row in job.rows:
            yield make_synthetic_row(self.kind, {**row.columns, "text": " ".join(set(str(row["text"]).split()))}, [row])


class Remembering(Curator):
    """Goes on where it was broken off, though its output does not."""

    kind = "remembering"
    seen: ClassVar[set[str]] = set()

    def curate(self, job: RowsJob) -> Iterator[Decision]:
        for row in job.rows:
            fresh = row.id not in self.seen
            self.seen.add(row.id)
            yield Decision(row.id, fresh, "" if fresh else "seen before")
        self.seen.clear()


class Changing(Good):
    """Changes the rows that it is lent."""

    kind = "changing"
    columns = ("text", "candidates")

    def curate(self, job: RowsJob) -> Iterator[Decision]:
        for row in job.rows:
            row["candidates"].reverse()
            yield Decision(row.id, bool(row["text"]), "no text")


class Leaving(Good):
    """Ends the interpreter when a row displeases it."""

    kind = "leaving"

    def curate(self, job: RowsJob) -> Iterator[Decision]:
        for row in job.rows:
            if row["text"] is None:
                sys.exit(3)
            yield Decision(row.id, True)


class Ending(Good):
    """Ends the process."""

    kind = "ending"

    def curate(self, job: RowsJob) -> Iterator[Decision]:
        os._exit(4)


class Hanging(Good):
    """Never comes back."""

    kind = "hanging"

    def curate(self, job: RowsJob) -> Iterator[Decision]:
        time.sleep(600)
        yield from ()


class Silent(Good):
    """Drops rows and does not say why."""

    kind = "silent"

    def curate(self, job: RowsJob) -> Iterator[Decision]:
        yield from (Decision(row.id, len(str(row["text"])) > 24) for row in job.rows)


class Loose(Good):
    """Yields something that is no decision."""

    kind = "loose"

    def curate(self, job: RowsJob) -> Iterator[Decision]:
        yield from (row.id for row in job.rows)  # type: ignore[misc]


class Promising(Source):
    """Promises a column that its rows do not have."""

    kind = "promising"
    output_columns = ("text", "label")

    def iter_rows(self, job: Job) -> Iterator[Row]:
        yield Row("a", {"text": "a"}, Provenance("nowhere"))


class Infinite(Eval):
    """Gives a number that is none."""

    kind = "infinite"
    output_type = "labels"
    primary_metric = "worth"
    metrics = (Metric("worth", "what it is worth"),)

    def score(self, job: ScoreJob) -> Iterator[Scores]:
        yield from (Scores(row.id, {"worth": float("nan")}) for row in job.rows)


class Short(Contender):
    """Answers all rows but one."""

    kind = "short"
    output_type = "labels"

    def answer(self, job: AnswerJob) -> Iterator[Answer]:
        yield from (Answer(row.id, {"a": 1.0}) for row in job.rows[1:])


class Certain(Contender):
    """Gives probabilities that sum to two."""

    kind = "certain"
    output_type = "labels"

    def answer(self, job: AnswerJob) -> Iterator[Answer]:
        said: dict[str, Any] = {"a": 1.0, "b": 1.0}
        yield from (Answer(row.id, said) for row in job.rows)


class Creeping(Good):
    """Says other things as its class attribute changes, under one version."""

    kind = "creeping"
    word: ClassVar[str] = os.environ.get("CREEPING", "first")

    def curate(self, job: RowsJob) -> Iterator[Decision]:
        yield from (Decision(row.id, not row["text"], self.word) for row in job.rows)
