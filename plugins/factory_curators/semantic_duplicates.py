"""Drop rows that say what another row says in other words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from factory.api import Curator, Decision, RowsJob
from factory_curators.common import TEXT_COLUMNS_DESCRIPTION, get_row_text
from factory_curators.connected_components import PREFER_DESCRIPTION, Prefer, decide_duplicates, find_components

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

COSINE_BLOCK_ROWS = 1024
"""Rows held against all later ones at once."""
EmbeddingModel = Literal["embedder", "student"]
EMBEDDING_MODEL_DESCRIPTION = "whose sentence embeddings: models.embedder or, when it is an encoder, the student"


class SemanticDuplicates(Curator):
    """Of rows whose embeddings have a cosine of `threshold` and more, one stays (SemDeDup, arXiv:2303.09540).

    All pairs are compared; rows are connected when they are near, and a component is all that connections reach.
    Embedding takes most of the time; comparing grows with the square of the rows, 200,000 take a quarter of an hour.
    """

    kind = "semantic"
    share_metric = "semantic_duplicates"

    threshold: float = Field(0.95, gt=0, le=1, description="cosine from which two texts are held to say the same")
    on: list[str] = Field([], description=TEXT_COLUMNS_DESCRIPTION)
    prefer: Prefer = Field("first", description=PREFER_DESCRIPTION)
    chains: bool = Field(True, description="a row goes though only rows between connect it with the one that stays")
    model: EmbeddingModel = Field("embedder", description=EMBEDDING_MODEL_DESCRIPTION)

    @property
    def columns(self) -> tuple[str, ...]:  # type: ignore[override]  # known only when the fields are
        return tuple(self.on)

    def get_required_models(self) -> tuple[str, ...]:
        return ("embedder",) if self.model == "embedder" else ()

    def curate(self, job: RowsJob) -> Iterator[Decision]:
        texts = [get_row_text(row, job, self.on) for row in job.rows]
        different: dict[str, int] = {}
        at = [different.setdefault(text, len(different)) for text in texts]
        vectors = job.kit.embed(job.get_embedding_base(self.model), list(different), job.report) if texts else None

        def alike(one: int, other: int) -> float:
            return 1.0 if vectors is None or at[one] == at[other] else float(vectors[at[one]] @ vectors[at[other]])

        groups = find_components(len(texts), _iterate_similar_pairs(texts, at, vectors, self.threshold))
        yield from decide_duplicates(job.rows, groups, self.prefer, self.chains, self.threshold, alike)


def _iterate_similar_pairs(
    texts: Sequence[str], at: Sequence[int], vectors: NDArray[np.float32] | None, threshold: float
) -> Iterator[tuple[int, int]]:
    """Pairs of places of rows: those of the same text, and those of texts whose vectors are near."""
    first: dict[int, int] = {}
    for place, text in enumerate(texts):
        if text.strip() and first.setdefault(at[place], place) != place:
            yield first[at[place]], place
    if vectors is not None and first:
        known = sorted(first)
        for one, other in _iterate_near_vectors(vectors[known], threshold):
            yield first[known[one]], first[known[other]]


def _iterate_near_vectors(vectors: NDArray[np.float32], threshold: float) -> Iterator[tuple[int, int]]:
    """Every pair of places whose unit vectors are near, the smaller place first."""
    import numpy as np

    for start in range(0, len(vectors), COSINE_BLOCK_ROWS):
        cosines = vectors[start : start + COSINE_BLOCK_ROWS] @ vectors[start:].T
        ones, others = np.nonzero(np.triu(cosines >= threshold, k=1))
        yield from zip((ones + start).tolist(), (others + start).tolist(), strict=True)
