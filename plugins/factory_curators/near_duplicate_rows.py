"""Drop near duplicates."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from factory.api import Decision, RowsJob, join_text_columns, normalise
from factory_curators.common import TextCurator
from factory_curators.connected_components import PREFER_DESCRIPTION, Prefer, decide_duplicates, find_components
from factory_curators.minhash import build_shingle_similarity, find_near_pairs


class NearDuplicates(TextCurator):
    """Keeps one of the rows whose texts share most of their character 5-grams: MinHash finds pairs, Jaccard decides.

    Similar rows are connected, and one row of each connected component stays.
    """

    kind = "near"
    version = 4
    share_metric = "near_duplicates"

    threshold: float = Field(0.9, gt=0, le=1, description="Jaccard similarity from which two texts are near duplicates")
    text_columns: tuple[str, ...] = Field((), description="columns to compare; empty for all text columns")
    prefer: Prefer = Field("first", description=PREFER_DESCRIPTION)
    transitive: bool = Field(True, description="drop rows that are connected to the kept row only through others")

    def curate(self, job: RowsJob) -> Iterator[Decision]:
        texts = [normalise(join_text_columns(row.columns, self.text_columns)) for row in job.rows]
        similarity = build_shingle_similarity(texts)
        pairs = find_near_pairs(texts, self.threshold, similarity, job.report.report_progress)
        groups = find_components(len(texts), pairs)
        yield from decide_duplicates(job.rows, groups, self.prefer, self.transitive, self.threshold, similarity)
