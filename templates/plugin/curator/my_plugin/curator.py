"""Fewer training rows: those that say too little go."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from factory.api import Curator, Decision, RowsJob


class MyPlugin(Curator):
    """Drops rows whose text has fewer than `words` different words."""

    kind = "my-plugin"
    contract = 1
    columns = ("text",)

    words: int = Field(3, ge=1, description="different words that a text needs")

    def curate(self, job: RowsJob) -> Iterator[Decision]:
        for row in job.rows:
            count = len(set(str(row["text"]).lower().split()))
            # The reason is shown in the report's funnel, beside how many rows it took.
            yield Decision(row.id, count >= self.words, "" if count >= self.words else f"fewer than {self.words} words")
