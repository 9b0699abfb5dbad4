"""Drop rows that repeat another row in other words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from pydantic import Field

from factory.api import Decision, RowsJob
from factory_curators.common import EmbeddingCurator, get_row_text
from factory_curators.connected_components import PREFER_DESCRIPTION, Prefer, decide_duplicates, find_components

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

COSINE_BLOCK_ROWS = 1024
"""Rows compared with all later ones at a time."""


class SemanticDuplicates(EmbeddingCurator):
    """Keeps one of the rows whose embeddings have a cosine of at least `threshold` (SemDeDup, arXiv:2303.09540).

    All pairs are compared; similar rows are connected, and one row of each connected component stays. Embedding takes
    most of the time; comparison is quadratic, and takes a quarter of an hour for 200,000 rows.
    """

    kind = "semantic"
    share_metric = "semantic_duplicates"

    threshold: float = Field(0.95, gt=0, le=1, description="cosine from which two texts are duplicates")
    prefer: Prefer = Field("first", description=PREFER_DESCRIPTION)
    transitive: bool = Field(True, description="drop rows that are connected to the kept row only through others")

    def curate(self, job: RowsJob) -> Iterator[Decision]:
        texts = [get_row_text(row, job, self.text_columns) for row in job.rows]
        if not texts:
            return
        # Equal texts are embedded once.
        index_by_text: dict[str, int] = {}
        index = [index_by_text.setdefault(text, len(index_by_text)) for text in texts]
        vectors = job.kit.embed(job.get_embedding_base(self.model), list(index_by_text), job.report)

        def compute_cosine(a: int, b: int) -> float:
            return 1.0 if index[a] == index[b] else float(vectors[index[a]] @ vectors[index[b]])

        groups = find_components(len(texts), _iterate_similar_pairs(texts, index, vectors, self.threshold))
        yield from decide_duplicates(job.rows, groups, self.prefer, self.transitive, self.threshold, compute_cosine)


def _iterate_similar_pairs(
    texts: Sequence[str], index: Sequence[int], vectors: NDArray[np.float32], threshold: float
) -> Iterator[tuple[int, int]]:
    """Yield pairs of rows that have the same text, or texts with similar vectors (`index` maps row to vector)."""
    import numpy as np

    first_row: dict[int, int] = {}
    for row, text in enumerate(texts):
        if text.strip() and first_row.setdefault(index[row], row) != row:
            yield first_row[index[row]], row
    indices = sorted(first_row)
    rows, distinct = [first_row[i] for i in indices], vectors[indices]
    for start in range(0, len(rows), COSINE_BLOCK_ROWS):
        cosines = distinct[start : start + COSINE_BLOCK_ROWS] @ distinct[start:].T
        first, second = np.nonzero(np.triu(cosines >= threshold, k=1))
        for a, b in zip((first + start).tolist(), (second + start).tolist(), strict=True):
            yield rows[a], rows[b]
