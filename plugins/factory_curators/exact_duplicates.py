"""Drop exact duplicates."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from pydantic import Field

from factory.api import Decision, RowsJob
from factory_curators.common import TextCurator, render_compared_columns
from factory_curators.connected_components import PREFER_DESCRIPTION, Prefer, build_preference_key


class ExactDuplicates(TextCurator):
    """Keeps one of the rows whose texts differ only in case, punctuation and white space.

    Signs and operators count: "price > 5", "-5" and "C#" are not "price < 5", "5" and "C". Labels are compared as they
    are everywhere: "Art" is not "art".
    """

    kind = "exact"
    version = 4
    share_metric = "duplicates"

    text_columns: tuple[str, ...] = Field((), description="columns to compare; empty for all text columns")
    prefer: Prefer = Field("first", description=PREFER_DESCRIPTION)

    def curate(self, job: RowsJob) -> Iterator[Decision]:
        groups: defaultdict[str, list[int]] = defaultdict(list)
        for index, row in enumerate(job.rows):
            if text := render_compared_columns(row, job, self.text_columns):
                groups[text].append(index)
        order = build_preference_key(job.rows, self.prefer)
        twins = {index: min(group, key=order) for group in groups.values() for index in group}
        for index, row in enumerate(job.rows):
            twin = twins.get(index, index)
            yield Decision(row.id, True) if twin == index else Decision(row.id, False, "same text", job.rows[twin].id)
