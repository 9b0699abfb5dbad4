"""Limit the rows per value of a column, for few-shot experiments and for imbalanced labels."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator

from pydantic import Field

from factory.api import Curator, Decision, RowsJob, normalise_label


class Balance(Curator):
    """Keeps at most `count` rows per value of a column, sampled by the spec's seed."""

    kind = "balance"
    version = 2

    column: str = Field("label", description="column whose values are balanced")
    count: int = Field(ge=1, description="maximum number of rows per value")

    @property
    def columns(self) -> tuple[str, ...]:  # type: ignore[override]  # known only when the fields are
        return (self.column,)

    def curate(self, job: RowsJob) -> Iterator[Decision]:
        ids_by_value: defaultdict[str, list[str]] = defaultdict(list)
        for row in job.rows:
            if self.column not in row.columns:
                raise ValueError(f"row {row.id!r} has no column {self.column!r}; it has {', '.join(row.columns)}")
            ids_by_value[normalise_label(row[self.column])].append(row.id)
        sampled: set[str] = set()
        for value, ids in ids_by_value.items():
            # Seeded by value: a row's fate does not depend on the other values.
            sampled.update(random.Random(f"{job.seed} {value}").sample(sorted(ids), min(self.count, len(ids))))
        for row in job.rows:
            why = "" if row.id in sampled else f"more than {self.count} rows have this {self.column}"
            yield Decision(row.id, not why, why)
