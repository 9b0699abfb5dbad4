"""Two contenders that can meet, so that a test shows what runs side by side without looking at a clock.

They look for files in the folder `FACTORY_PAIR`: with `meet` each waits until the other one runs too, with `hold` it
then waits until the file is gone, and with `left.fails` the left one fails.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from factory.api import Answer, AnswerJob, ChatRequest, Contender, Endpoint, Message, Plugin, hookimpl

PLACE = Path(os.environ.get("FACTORY_PAIR", os.devnull))
PATIENCE = 120.0
"""Seconds that one waits for the other on a busy machine."""


class Left(Contender):
    """Says the commonest label of the training rows."""

    kind = "left"
    output_type = "label"
    columns = ("label",)
    needs: str = ""
    """A further model, which it does not look at."""
    endpoint: Endpoint | None = None
    """An endpoint that it asks about every row; it does not listen."""

    def get_required_models(self) -> tuple[str, ...]:
        return (self.needs,) if self.needs else ()

    def answer(self, job: AnswerJob) -> Iterator[Answer]:
        (PLACE / f"{self.kind}.runs").touch()
        job.report.note(f"{self.kind} is at work")
        if (PLACE / "meet").exists():
            _wait(lambda: all((PLACE / f"{kind}.runs").exists() for kind in ("left", "right")))
        if (PLACE / f"{self.kind}.fails").exists():
            raise ValueError(f"{self.kind} was told to fail")
        _wait(lambda: not (PLACE / "hold").exists())
        if self.endpoint:
            asks = [ChatRequest((Message("user", row["text"]),)) for row in job.rows]
            for reply in job.get_teacher(self.endpoint).ask(asks, job.report):
                job.report.note(reply.error, warning=True) if reply.error else None
        label = Counter(row["label"] for row in job.train).most_common()[self.rank][0]
        yield from (Answer(row.id, label) for row in job.rows)

    @property
    def rank(self) -> int:
        """Which of the labels it says."""
        return 0


class Right(Left):
    """Says the second commonest label of the training rows."""

    kind = "right"

    @property
    def rank(self) -> int:
        return 1


def _wait(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not happened():
        if time.monotonic() > deadline:
            raise TimeoutError("the other contender did not come")
        time.sleep(0.02)


@hookimpl
def factory_plugins() -> list[type[Plugin]]:
    """The two contenders."""
    return [Left, Right]
