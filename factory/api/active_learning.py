"""Which texts to label next: those that, once labelled, say most about all others.

Texts stand for each other as far as their embeddings are alike. Greedy facility location picks texts one by one, each
the one that adds most to how well every text is stood for (Wei, Iyer and Bilmes 2015, "Submodularity in data subset
selection and active learning"; within 1 − 1/e of the best set). Once there are labels, a text counts by how uncertain a
logistic regression on the embeddings is about it, so that new choices go where the labels so far do not reach; where
there is none yet, choices cover what is typical (the cold start of TypiClust, arXiv:2202.02794).
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float32]

SIMILARITY_POWER = 4
"""The power of the cosine that is likeness: at 1 whole topics stand for each other, at 8 hardly anything does."""
MAX_SIMILARITIES = 100_000_000
"""Likenesses held at once, in 400 MB; with more texts than 10,000 a drawn part of them must be stood for."""
INVERSE_REGULARIZATION = 20.0
MIN_UNCERTAINTY = 1e-3
GAIN_BLOCK_ROWS = 1024


def select_for_labelling(vectors: NDArray[Any], labels_known: Mapping[int, str], count: int, seed: int) -> list[int]:
    """The rows of `vectors` (texts, width; L2-normalised) to label next, at most `count`, the first one first.

    `labels_known` is row → label of what has one; such a row is never chosen. No other label is looked at. Ask for a
    part of the budget at a time, and give the labels back in: four rounds do better than one.
    """
    import numpy as np

    held = np.ascontiguousarray(vectors, dtype=np.float32)
    if not len(held) or count < 1:
        return []
    size = max(1, min(len(held), MAX_SIMILARITIES // len(held)))
    drawn = np.sort(np.random.default_rng(seed).permutation(len(held))[:size])
    weights = compute_uncertainty(held, labels_known)[drawn]
    return _select_by_facility_location(held, drawn, weights, sorted(labels_known), count)


def compute_uncertainty(vectors: NDArray[Any], labels_known: Mapping[int, str]) -> FloatArray:
    """How unsure a logistic regression on the known labels is of each row, above 0 to 1: 1 − (first − second chance).

    All ones while there are fewer than two labels to tell apart.
    """
    import numpy as np
    from sklearn.linear_model import LogisticRegression

    known = sorted(labels_known)
    labels = [labels_known[row] for row in known]
    if len(set(labels)) < 2:
        return np.ones(len(vectors), dtype=np.float32)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The number of unique classes")  # few texts a label is what this is for
        model = LogisticRegression(C=INVERSE_REGULARIZATION, max_iter=200).fit(vectors[known], labels)
    chances = np.sort(model.predict_proba(vectors), axis=1)
    unsure: FloatArray = np.maximum(1 - (chances[:, -1] - chances[:, -2]), MIN_UNCERTAINTY).astype(np.float32)
    return unsure


def _select_by_facility_location(
    vectors: FloatArray, drawn: NDArray[np.int64], weights: FloatArray, known: Sequence[int], count: int
) -> list[int]:
    """Greedy choices by lazy evaluation (Minoux 1978): a gain only falls, so most need not be worked out again."""
    import heapq

    import numpy as np

    alike = np.maximum(vectors @ vectors[drawn].T, 0)
    np.power(alike, SIMILARITY_POWER, out=alike)
    best = alike[known].max(axis=0, initial=0.0) if known else np.zeros(len(drawn), dtype=np.float32)
    gains = [
        gain for start in range(0, len(alike), GAIN_BLOCK_ROWS)
        for gain in (np.maximum(alike[start : start + GAIN_BLOCK_ROWS] - best, 0) @ weights).tolist()
    ]
    taken = set(known)
    heap = [(-gain, row) for row, gain in enumerate(gains) if row not in taken]
    heapq.heapify(heap)
    chosen: list[int] = []
    while heap and len(chosen) < count:
        _, row = heapq.heappop(heap)
        gain = float(np.maximum(alike[row] - best, 0) @ weights)
        if heap and (-gain, row) > heap[0]:
            heapq.heappush(heap, (-gain, row))
            continue
        chosen.append(row)
        best = np.maximum(best, alike[row])
    return chosen
