"""First-stage retrieval: BM25 and cosine over a whole corpus, fused into one list of candidates.

Deterministic on one machine: ties are broken by the order of the documents, and signals are rounded to hide the last
bits of sums.
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
QUERY_BLOCK_ROWS = 256
SIGNAL_DIGITS = 6
RRF_K = 60
BM25_TOKEN_PATTERN = r"(?u)\b\w+\b"


@dataclass(frozen=True, slots=True)
class FirstStageCandidates:
    """Candidates of a query: positions of documents in hybrid order, and the signals of each."""

    documents: list[int]
    bm25: list[float]
    cosine: list[float]
    hybrid: list[float]


def search_first_stage(
    queries: Sequence[str], documents: Sequence[str], query_vectors: Vectors, document_vectors: Vectors,
    top_k: int, fusion: Fusion, weight: float,
) -> Iterator[FirstStageCandidates]:
    """Yield the candidates of each query: the union of the `top_k` best by BM25 and the `top_k` best by cosine.

    Vectors are (n, d) and L2-normalised. `weight` is the share of BM25 in the hybrid, 0 to 1. BM25 scores are divided
    by the best of the query, so that long queries do not outweigh the cosine: with 0.25, this was as good as any mix
    tried on ICD-10-CM, Climate-FEVER and Cranfield, and better than reciprocal ranks on the first two.
    """
    import numpy as np

    lexical = Bm25Index(documents)
    for start in range(0, len(queries), QUERY_BLOCK_ROWS):
        cosines = query_vectors[start : start + QUERY_BLOCK_ROWS] @ document_vectors.T
        for query, cosine in zip(queries[start : start + QUERY_BLOCK_ROWS], cosines, strict=True):
            bm25 = np.round(lexical.score_documents(query), SIGNAL_DIGITS)
            yield _fuse_candidates(bm25, np.round(cosine.astype(np.float64), SIGNAL_DIGITS), top_k, fusion, weight)


class Bm25Index:
    """BM25 index (Lucene variant, k1 1.5, b 0.75, English stop words)."""

    def __init__(self, documents: Sequence[str]) -> None:
        import bm25s

        self._size = len(documents)
        self._index = None  # bm25s cannot index a corpus without a single token
        tokens = self._tokenize_for_bm25(documents)
        if any(tokens):
            self._index = bm25s.BM25(k1=1.5, b=0.75)
            self._index.index(tokens, show_progress=False)

    def score_documents(self, query: str) -> NDArray[np.float64]:
        """Return the score of every document, in order: 0 if no word is shared."""
        import numpy as np

        tokens = self._tokenize_for_bm25([query])[0]
        if self._index is None or not tokens:
            return np.zeros(self._size)
        return np.asarray(self._index.get_scores(tokens), dtype=np.float64)

    @staticmethod
    def _tokenize_for_bm25(texts: Sequence[str]) -> list[list[str]]:
        import bm25s

        return bm25s.tokenize(  # type: ignore[no-any-return]
            list(texts), token_pattern=BM25_TOKEN_PATTERN, stopwords="en", return_ids=False, show_progress=False
        )


def _fuse_candidates(
    bm25: NDArray[np.float64], cosine: NDArray[np.float64], top_k: int, fusion: Fusion, weight: float
) -> FirstStageCandidates:
    import numpy as np

    lexical = [i for i in select_top_positions(bm25, top_k) if bm25[i] > 0]  # BM25 of 0: no word in common
    union = np.array(sorted({*lexical, *select_top_positions(cosine, top_k)}), dtype=np.int64)
    if fusion == "ranks":
        bm25_ranks, cosine_ranks = (_compute_reciprocal_ranks(scores, union) for scores in (bm25, cosine))
        hybrid = weight * bm25_ranks + (1 - weight) * cosine_ranks
    else:
        hybrid = weight * bm25[union] / max(bm25.max(initial=0.0), 1e-9) + (1 - weight) * cosine[union]
    hybrid = np.round(hybrid, SIGNAL_DIGITS)
    order = np.lexsort((union, -hybrid))
    chosen = union[order]
    return FirstStageCandidates(chosen.tolist(), bm25[chosen].tolist(), cosine[chosen].tolist(), hybrid[order].tolist())


def select_top_positions(scores: NDArray[np.float64], count: int) -> list[int]:
    """Return the positions of the `count` highest scores in descending order; ties by position."""
    import numpy as np

    if count >= len(scores):
        chosen = np.arange(len(scores))
    else:
        # A partial sort is linear in the corpus; all ties with the last position are kept, then ordered.
        cutoff = np.partition(scores, len(scores) - count)[len(scores) - count]
        chosen = np.flatnonzero(scores >= cutoff)
    return [int(i) for i in chosen[np.lexsort((chosen, -scores[chosen]))][:count]]


def _compute_reciprocal_ranks(scores: NDArray[np.float64], union: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return reciprocal ranks (Cormack et al. 2009) among all documents; ties share a rank, a score of 0 gives 0."""
    import numpy as np

    ordered = np.sort(scores)
    ranks = len(scores) - np.searchsorted(ordered, scores[union], side="right")
    return np.where(scores[union] == 0, 0.0, 1.0 / (RRF_K + 1 + ranks))
