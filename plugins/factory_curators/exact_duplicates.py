"""Drop rows that repeat another row word for word."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from pydantic import Field

from factory.api import Curator, Decision, RowsJob, join_text_columns, normalise
from factory_curators.connected_components import PREFER_DESCRIPTION, Prefer, build_preference_key


class ExactDuplicates(Curator):
    """Of rows whose text is the same but for case, punctuation and white space, one stays."""

    kind = "exact"
    version = 2
    share_metric = "duplicates"

    on: list[str] = Field([], description="columns that are compared; empty for every column that holds text")
    prefer: Prefer = Field("first", description=PREFER_DESCRIPTION)

    @property
    def columns(self) -> tuple[str, ...]:  # type: ignore[override]  # known only when the fields are
        return tuple(self.on)

    def curate(self, job: RowsJob) -> Iterator[Decision]:
        same: defaultdict[str, list[int]] = defaultdict(list)
        for place, row in enumerate(job.rows):
            if normal := normalise(join_text_columns(row.columns, self.on)):
                same[normal].append(place)
        order = build_preference_key(job.rows, self.prefer)
        twins = {place: min(places, key=order) for places in same.values() if len(places) > 1 for place in places}
        for place, row in enumerate(job.rows):
            twin = twins.get(place, place)
            kept = twin == place
            yield Decision(row.id, kept, "" if kept else "the same text", "" if kept else job.rows[twin].id)
