"""Drop rows that nearly repeat another row."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from factory.api import Curator, Decision, RowsJob, join_text_columns, normalise
from factory_curators.connected_components import PREFER_DESCRIPTION, Prefer, decide_duplicates, find_components
from factory_curators.minhash import ShingleSimilarity, find_near_pairs


class NearDuplicates(Curator):
    """Of rows whose texts share most of their character 5-grams (Jaccard, found by MinHash), one stays.

    Rows are connected when they are near, and a component is all that connections reach.
    """

    kind = "near"
    version = 2
    share_metric = "near_duplicates"

    threshold: float = Field(0.9, gt=0, le=1, description="similarity from which two texts are near duplicates")
    on: list[str] = Field([], description="columns that are compared; empty for every column that holds text")
    prefer: Prefer = Field("first", description=PREFER_DESCRIPTION)
    chains: bool = Field(True, description="a row goes though only rows between connect it with the one that stays")

    @property
    def columns(self) -> tuple[str, ...]:  # type: ignore[override]  # known only when the fields are
        return tuple(self.on)

    def curate(self, job: RowsJob) -> Iterator[Decision]:
        normals = [normalise(join_text_columns(row.columns, self.on)) for row in job.rows]
        alike = ShingleSimilarity(normals)
        pairs = find_near_pairs(normals, self.threshold, alike, job.report.report_progress)
        groups = find_components(len(normals), pairs)
        yield from decide_duplicates(job.rows, groups, self.prefer, self.chains, self.threshold, alike)
