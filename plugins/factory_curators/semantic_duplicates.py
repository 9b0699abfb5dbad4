"""Drop rows that repeat another row in other words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from pydantic import Field

from factory.api import Decision, RowsJob
from factory_curators.common import EMBEDDING_MODEL_DESCRIPTION, EmbeddingModel, TextCurator, get_row_text
from factory_curators.connected_components import PREFER_DESCRIPTION, Prefer, decide_duplicates, find_components

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

COSINE_BLOCK_ROWS = 1024
"""Rows compared with all later ones at a time."""


class SemanticDuplicates(TextCurator):
    """Keeps one of the rows whose embeddings have a cosine of at least `threshold` (SemDeDup, arXiv:2303.09540).

    All pairs are compared; similar rows are connected, and one row of each connected component stays. Embedding takes
    most of the time; comparison is quadratic, and takes a quarter of an hour for 200,000 rows.
    """

    kind = "semantic"
    share_metric = "semantic_duplicates"

    threshold: float = Field(0.95, gt=0, le=1, description="cosine from which two texts are duplicates")
    prefer: Prefer = Field("first", description=PREFER_DESCRIPTION)
    transitive: bool = Field(True, description="drop rows that are connected to the kept row only through others")
    model: EmbeddingModel = Field("embedder", description=EMBEDDING_MODEL_DESCRIPTION)

    def get_required_models(self) -> tuple[str, ...]:
        return ("embedder",) if self.model == "embedder" else ()

    def curate(self, job: RowsJob) -> Iterator[Decision]:
        texts = [get_row_text(row, job, self.columns) for row in job.rows]
        # Equal texts are embedded once.
        index_by_text: dict[str, int] = {}
        index = [index_by_text.setdefault(text, len(index_by_text)) for text in texts]
        vectors = job.kit.embed(job.get_embedding_base(self.model), list(index_by_text), job.report) if texts else None

        def compute_cosine(a: int, b: int) -> float:
            return 1.0 if vectors is None or index[a] == index[b] else float(vectors[index[a]] @ vectors[index[b]])

        groups = find_components(len(texts), _iterate_similar_pairs(texts, index, vectors, self.threshold))
        yield from decide_duplicates(job.rows, groups, self.prefer, self.transitive, self.threshold, compute_cosine)


def _iterate_similar_pairs(
    texts: Sequence[str], index: Sequence[int], vectors: NDArray[np.float32] | None, threshold: float
) -> Iterator[tuple[int, int]]:
    """Yield pairs of places of rows that have the same text, or texts with similar vectors."""
    first_place: dict[int, int] = {}
    for place, text in enumerate(texts):
        if text.strip() and first_place.setdefault(index[place], place) != place:
            yield first_place[index[place]], place
    if vectors is not None and first_place:
        indices = sorted(first_place)
        for a, b in _iterate_near_vectors(vectors[indices], threshold):
            yield first_place[indices[a]], first_place[indices[b]]


def _iterate_near_vectors(vectors: NDArray[np.float32], threshold: float) -> Iterator[tuple[int, int]]:
    """Yield every pair of similar unit vectors, the smaller place first."""
    import numpy as np

    for start in range(0, len(vectors), COSINE_BLOCK_ROWS):
        cosines = vectors[start : start + COSINE_BLOCK_ROWS] @ vectors[start:].T
        first, second = np.nonzero(np.triu(cosines >= threshold, k=1))
        yield from zip((first + start).tolist(), (second + start).tolist(), strict=True)
