"""Drop exact duplicates."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from pydantic import Field

from factory.api import Curator, Decision, RowsJob, join_text_columns, normalise
from factory_curators.connected_components import PREFER_DESCRIPTION, Prefer, build_preference_key


class ExactDuplicates(Curator):
    """Keeps one of the rows whose texts differ only in case, punctuation and white space."""

    kind = "exact"
    version = 2
    share_metric = "duplicates"

    columns: tuple[str, ...] = Field(  # type: ignore[misc]  # chosen by the spec
        (), description="columns to compare; empty for all text columns"
    )
    prefer: Prefer = Field("first", description=PREFER_DESCRIPTION)

    def curate(self, job: RowsJob) -> Iterator[Decision]:
        same: defaultdict[str, list[int]] = defaultdict(list)
        for place, row in enumerate(job.rows):
            if text := normalise(join_text_columns(row.columns, self.columns)):
                same[text].append(place)
        order = build_preference_key(job.rows, self.prefer)
        twins = {place: min(places, key=order) for places in same.values() if len(places) > 1 for place in places}
        for place, row in enumerate(job.rows):
            twin = twins.get(place, place)
            kept = twin == place
            yield Decision(row.id, kept, "" if kept else "same text", "" if kept else job.rows[twin].id)
