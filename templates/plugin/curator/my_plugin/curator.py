"""A curator: drop training rows whose text says too little."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from factory.api import Curator, Decision, RowsJob


class MyPlugin(Curator):
    """Drops rows whose text has fewer than `min_words` different words."""

    kind = "my-plugin"
    contract = 2
    columns = ("text",)

    min_words: int = Field(3, ge=1, description="minimum of different words in a text")

    def curate(self, job: RowsJob) -> Iterator[Decision]:
        for row in job.rows:
            kept = len(set(str(row["text"]).lower().split())) >= self.min_words
            # The report shows each reason with the number of rows that were dropped for it.
            yield Decision(row.id, kept, "" if kept else f"fewer than {self.min_words} different words")
