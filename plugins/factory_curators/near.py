"""Drop rows that nearly repeat an earlier row."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from factory.api import Curator, Decision, RowsJob, joined, twins


class Near(Curator):
    """Of rows whose texts share most of their character 5-grams (Jaccard), the first stays. No pair is missed."""

    kind = "near"

    threshold: float = Field(0.9, gt=0, le=1, description="similarity from which two texts are near duplicates")
    on: list[str] = Field([], description="columns that are compared; empty for every column that holds text")

    def keep(self, job: RowsJob) -> Iterator[Decision]:
        texts = {row.id: joined(row.columns, self.on) for row in job.rows}
        found = {name: (twin, alike) for name, twin, alike in twins(texts, self.threshold)}
        for row in job.rows:
            twin, alike = found.get(row.id, ("", 0.0))
            yield Decision(row.id, not twin, f"{alike:.2f} similar" if twin else "", twin)
