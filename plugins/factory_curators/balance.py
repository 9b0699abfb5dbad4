"""Keep so many rows of each value of a column: few-shot settings, and sets where one label drowns the others."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator

from pydantic import Field

from factory.api import Curator, Decision, RowsJob


class Balance(Curator):
    """Of the rows with one value, at most `count` stay, drawn by the spec's seed."""

    kind = "balance"

    column: str = Field("label", description="column whose values are counted")
    count: int = Field(ge=1, description="rows that stay of each value, at most")

    @property
    def columns(self) -> tuple[str, ...]:  # type: ignore[override]  # known only when the fields are
        return (self.column,)

    def curate(self, job: RowsJob) -> Iterator[Decision]:
        found: defaultdict[str, list[str]] = defaultdict(list)
        for row in job.rows:
            if self.column not in row.columns:
                raise ValueError(f"row {row.id!r} has no column {self.column!r}; there are {', '.join(row.columns)}")
            found[str(row[self.column])].append(row.id)
        kept = {
            name for value,
            names in sorted(found.items()) for name in self._sample_row_ids(names, f"{job.seed} {value}")
        }
        for row in job.rows:
            why = "" if row.id in kept else f"beyond {self.count} of its {self.column}"
            yield Decision(row.id, not why, why)

    def _sample_row_ids(self, names: list[str], seed: str) -> list[str]:
        return sorted(random.Random(seed).sample(sorted(names), min(self.count, len(names))))
