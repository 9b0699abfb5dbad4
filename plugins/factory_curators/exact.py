"""Drop rows that repeat an earlier row word for word."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from factory.api import Curator, Decision, RowsJob, joined, twins


class Exact(Curator):
    """Of rows whose text is the same but for case, punctuation and white space, the first stays."""

    kind = "exact"

    on: list[str] = Field([], description="columns that are compared; empty for every column that holds text")

    def keep(self, job: RowsJob) -> Iterator[Decision]:
        found = {name: twin for name, twin, _ in twins({row.id: joined(row.columns, self.on) for row in job.rows})}
        for row in job.rows:
            twin = found.get(row.id, "")
            yield Decision(row.id, not twin, "the same text" if twin else "", twin)
