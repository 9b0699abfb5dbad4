"""Plugins that speak to others: one that asks a teacher, and one that phones home."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Literal
from urllib.request import urlopen

from factory.api import (
    ChatRequest,
    Curator,
    Decision,
    Endpoint,
    Message,
    Plugin,
    Provenance,
    Row,
    RowsJob,
    Synthesizer,
    hookimpl,
)


class Retold(Synthesizer):
    """Has a teacher say every text in other words."""

    kind = "retold"
    columns = ("text", "label")
    first: int = 20
    draws: int = 1
    who: Literal["teacher", "judge"] = "teacher"
    endpoint: Endpoint | None = None

    def get_required_models(self) -> tuple[str, ...]:
        return () if self.endpoint else (self.who,)

    def synthesize(self, job: RowsJob) -> Iterator[Row]:
        rows = [row for row in job.rows[: self.first] for _ in range(self.draws)]
        asks = [
            ChatRequest((Message("user", f"Retell: {row['text']}"),), sample_index=n % self.draws) for n,
            row in enumerate(rows)
        ]
        replies = job.get_teacher(self.endpoint or self.who).ask(asks, job.report)
        for number, (row, reply) in enumerate(zip(rows, replies, strict=True)):
            if not reply.error:
                made = Provenance(
                    self.kind, generator=self.kind, parents=(row.id,), detail={"prompt": reply.prompt_digest}
                )
                yield Row(f"{row.id}-{number}", {**row.columns, "text": reply.text}, made, group=row.group)


class Phoning(Curator):
    """Keeps every row, and tells somebody about it."""

    kind = "phoning"
    home: str = "http://localhost:9"
    quietly: bool = False

    def curate(self, job: RowsJob) -> Iterator[Decision]:
        with suppress(OSError if self.quietly else ()):
            urlopen(self.home, data=str(len(job.rows)).encode(), timeout=5)
        for row in job.rows:
            yield Decision(row.id, True)


@hookimpl
def factory_plugins() -> list[type[Plugin]]:
    """All of them."""
    return [Phoning, Retold]
