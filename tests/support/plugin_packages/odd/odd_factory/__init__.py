"""Plugins of the toy task that misbehave, each in one way."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import Any, Literal

from toy_factory.learn import Counting
from toy_factory.rest import Commonest, Labelled

from factory.api import Answer, AnswerJob, FitJob, Job, Plugin, Row, TrainResult, hookimpl


class OddObjective(Counting):
    """Counts words, after it misbehaved."""

    kind = "odd-counting"
    how: Literal[
        "raises", "gives-nothing", "exits", "leaves", "prints", "forgets", "misnames", "imports", "talks", "fills"
    ]

    def fit(self, job: FitJob) -> TrainResult:
        if self.how == "raises":
            raise ZeroDivisionError("division by zero\nand a second line")
        if self.how == "gives-nothing":
            super().fit(job)
            return None  # type: ignore[return-value]
        if self.how == "exits":
            os._exit(5)
        if self.how == "leaves":
            sys.exit(6)
        if self.how == "forgets":
            return TrainResult(1, 1, 1, 1)
        if self.how == "imports":
            import no_such_package_anywhere  # noqa: F401
        if self.how == "prints":
            print('{"done": "ran"}\n' * 3, flush=True)
            os.write(1, b'{"event": {}}\n')
            os.write(2, b"noise\n")
        if self.how == "fills":
            (job.out / "large").write_bytes(b"0" * 400_000)
            (job.out / "large").unlink()
        if self.how == "talks":
            job.report.note("two\nlines \x1b[31mand a colour")
            job.report.log_metrics(1, loss=float("nan"))
        names: Any = {"misnames": "lora"}
        return replace(super().fit(job), artifact=names.get(self.how, "adapter"))


class OddContender(Commonest):
    """Answers all rows but the last two, or one of them twice."""

    kind = "odd-commonest"
    how: Literal["few", "twice", "number"]

    def answer(self, job: AnswerJob) -> Iterator[Answer]:
        answers: list[Any] = list(super().answer(job))
        if self.how == "few":
            yield from islice(answers, len(answers) - 2)
        elif self.how == "twice":
            yield from [*answers, answers[0]]
        else:
            yield from (Answer(answer.id, float("nan")) for answer in answers)


class OddSource(Labelled):
    """Gives no rows, or one id twice."""

    kind = "odd-labelled"
    how: Literal["empty", "twice"]

    def iter_rows(self, job: Job) -> Iterator[Row]:
        rows = list(super().iter_rows(job))
        yield from [] if self.how == "empty" else [*rows, rows[0]]


@hookimpl
def factory_plugins() -> list[type[Plugin]]:
    return [OddObjective, OddContender, OddSource]
