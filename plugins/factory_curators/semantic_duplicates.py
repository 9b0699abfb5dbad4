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

COSINE_BLOCK_ROWS, COSINE_BLOCK_COLUMNS = 1024, 8192
"""Rows compared with later ones at a time, and how many of those: 32 MiB of cosines."""
MANY_TEXTS = 20_000
"""Texts from which the size of the comparison is told."""


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
        if len(index_by_text) > MANY_TEXTS:
            job.report.note(describe_comparison(len(index_by_text)))
        vectors = job.kit.embed(job.get_embedding_base(self.model), list(index_by_text), job.report)

        def compute_cosine(a: int, b: int) -> float:
            return 1.0 if index[a] == index[b] else float(vectors[index[a]] @ vectors[index[b]])

        groups = find_components(len(texts), _iterate_similar_pairs(texts, index, vectors, self.threshold))
        yield from decide_duplicates(job.rows, groups, self.prefer, self.transitive, self.threshold, compute_cosine)


def _iterate_similar_pairs(
    texts: Sequence[str], index: Sequence[int], vectors: NDArray[np.float32], threshold: float
) -> Iterator[tuple[int, int]]:
    """Yield pairs of rows with the same text, or texts with similar vectors (`index` maps row to vector).

    Of similar texts only as many pairs are yielded as connect them, at most one for each text: of 60,000 alike ones
    there are 1.8 billion.
    """
    import numpy as np

    first_row: dict[int, int] = {}
    for row, text in enumerate(texts):
        if text.strip() and first_row.setdefault(index[row], row) != row:
            yield first_row[index[row]], row
    indices = sorted(first_row)
    rows, distinct = [first_row[i] for i in indices], vectors[indices]
    components = np.arange(len(rows))
    for start in range(0, len(rows), COSINE_BLOCK_ROWS):
        block = distinct[start : start + COSINE_BLOCK_ROWS]
        for first in range(start, len(rows), COSINE_BLOCK_COLUMNS):
            similar = block @ distinct[first : first + COSINE_BLOCK_COLUMNS].T >= threshold
            for offset in np.flatnonzero(similar.any(axis=1)).tolist():
                a = start + offset
                later = np.flatnonzero(similar[offset]) + first
                for b in _join_components(components, a, later[later > a]):
                    yield rows[a], rows[b]


def _join_components(components: NDArray[np.int64], a: int, others: NDArray[np.int64]) -> list[int]:
    """Join the components of `others` with that of `a`, in place; return one of each that was another one."""
    import numpy as np

    found, first = np.unique(components[others], return_index=True)
    is_other = found != components[a]
    if is_other.any():
        joined = np.zeros(len(components), dtype=bool)
        joined[found] = joined[components[a]] = True
        components[joined[components]] = min(int(found[0]), int(components[a]))
    return [int(index) for index in others[first[is_other]]]


def describe_comparison(texts: int) -> str:
    """Return how large the comparison of so many texts is, in one line."""
    pairs = texts * (texts - 1) // 2
    return f"semantic: compares {texts:,} texts, {pairs / 1e9:.1f} billion pairs, in blocks of 32 MiB"
