"""The first stage of a search: BM25 and cosine over a whole corpus, and one list of candidates out of both.

The same rows give the same candidates on one machine: ties go by the order of the documents, and signals are rounded so
that the last bits of a sum do not show.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]

Fusion = Literal["scores", "ranks"]
BLOCK = 256
DIGITS = 6
RRF = 60
WORD = r"(?u)\b\w+\b"


@dataclass(frozen=True, slots=True)
class Found:
    """The candidates of one query: positions of documents in the hybrid's order, and aligned signals."""

    documents: list[int]
    bm25: list[float]
    cosine: list[float]
    hybrid: list[float]


def search(
    queries: Sequence[str], documents: Sequence[str], query_vectors: Vectors, document_vectors: Vectors,
    each: int, fusion: Fusion, weight: float,
) -> Iterator[Found]:
    """Yield the candidates of each query: the union of the `each` best by BM25 and the `each` best by cosine.

    Vectors are (n, d) and L2-normalised. `weight` is BM25's share in the hybrid, 0 to 1; its scores count as a share
    of the query's best, so that long queries do not drown the cosine: with a fourth, this hybrid was as good as any
    mix of scores tried on ICD-10-CM, Climate-FEVER and Cranfield, and better than reciprocal ranks on the first two.
    """
    import numpy as np

    lexical = Lexical(documents)
    for start in range(0, len(queries), BLOCK):
        cosines = query_vectors[start : start + BLOCK] @ document_vectors.T
        for query, cosine in zip(queries[start : start + BLOCK], cosines, strict=True):
            words = np.round(lexical.scores(query), DIGITS)
            yield _one(words, np.round(cosine.astype(np.float64), DIGITS), each, fusion, weight)


class Lexical:
    """BM25 (Lucene's variant, k1 1.5, b 0.75, English stop words) over documents."""

    def __init__(self, documents: Sequence[str]) -> None:
        import bm25s

        self._size = len(documents)
        self._index = None
        tokens = self._tokens(documents)
        if any(tokens):
            self._index = bm25s.BM25(k1=1.5, b=0.75)
            self._index.index(tokens, show_progress=False)

    def scores(self, query: str) -> NDArray[np.float64]:
        """The score of every document, in their order: 0 where no word is shared."""
        import numpy as np

        tokens = self._tokens([query])[0]
        if self._index is None or not tokens:
            return np.zeros(self._size)
        return np.asarray(self._index.get_scores(tokens), dtype=np.float64)

    @staticmethod
    def _tokens(texts: Sequence[str]) -> list[list[str]]:
        import bm25s

        return bm25s.tokenize(  # type: ignore[no-any-return]
            list(texts), token_pattern=WORD, stopwords="en", return_ids=False, show_progress=False
        )


def _one(words: NDArray[np.float64], cosine: NDArray[np.float64], each: int, fusion: Fusion, weight: float) -> Found:
    import numpy as np

    lexical = [i for i in best(words, each) if words[i] > 0]
    union = np.array(sorted({*lexical, *best(cosine, each)}), dtype=np.int64)
    if fusion == "ranks":
        mixed = weight * _reciprocal(words, union) + (1 - weight) * _reciprocal(cosine, union)
    else:
        mixed = weight * words[union] / max(words.max(initial=0.0), 1e-9) + (1 - weight) * cosine[union]
    mixed = np.round(mixed, DIGITS)
    order = np.lexsort((union, -mixed))
    chosen = union[order]
    return Found(chosen.tolist(), words[chosen].tolist(), cosine[chosen].tolist(), mixed[order].tolist())


def best(scores: NDArray[np.float64], count: int) -> list[int]:
    """Positions of the `count` highest scores, the highest first; of equals the first."""
    import numpy as np

    if count >= len(scores):
        chosen = np.arange(len(scores))
    else:
        least = np.partition(scores, len(scores) - count)[len(scores) - count]
        chosen = np.flatnonzero(scores >= least)
    return [int(i) for i in chosen[np.lexsort((chosen, -scores[chosen]))][:count]]


def _reciprocal(scores: NDArray[np.float64], union: NDArray[np.int64]) -> NDArray[np.float64]:
    """Reciprocal rank (Cormack et al. 2009) among all documents, one rank for equals; 0 for a score of 0."""
    import numpy as np

    ordered = np.sort(scores)
    ranks = len(scores) - np.searchsorted(ordered, scores[union], side="right")
    return np.where(scores[union] == 0, 0.0, 1.0 / (RRF + 1 + ranks))
