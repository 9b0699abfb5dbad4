"""Active learning: select the texts whose labels are the most informative about all others.

Greedy facility location maximises how well every text is represented by a selected one, by the similarity of their
embeddings (Wei, Iyer and Bilmes 2015, "Submodularity in data subset selection and active learning"; within 1 − 1/e of
the best set). Once there are labels, each text is weighted by the uncertainty of a logistic regression on the
embeddings; before that, the selection covers typical texts (the cold start of TypiClust, arXiv:2202.02794).
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
"""Exponent of the cosine: at 1 a text represents its whole topic, at 8 hardly more than itself."""
MAX_SIMILARITIES = 100_000_000
"""Similarities in memory at once (400 MB). With more than 10,000 texts, only a random sample has to be represented."""
INVERSE_REGULARIZATION = 20.0
MIN_UNCERTAINTY = 1e-3
GAIN_BLOCK_ROWS = 1024


def select_for_labelling(vectors: NDArray[Any], labels_known: Mapping[int, str], count: int, seed: int) -> list[int]:
    """Return up to `count` rows of `vectors` (texts, width; L2-normalised) to label next, the most informative first.

    `labels_known` maps row → label; these rows are never selected. Spend the budget in several rounds and pass the new
    labels back in: four rounds do better than one.
    """
    import numpy as np

    embeddings = np.ascontiguousarray(vectors, dtype=np.float32)
    if not len(embeddings) or count < 1:
        return []
    size = max(1, min(len(embeddings), MAX_SIMILARITIES // len(embeddings)))
    sample = np.sort(np.random.default_rng(seed).permutation(len(embeddings))[:size])
    weights = compute_uncertainty(embeddings, labels_known)[sample]
    return _select_by_facility_location(embeddings, sample, weights, sorted(labels_known), count)


def compute_uncertainty(vectors: NDArray[Any], labels_known: Mapping[int, str]) -> FloatArray:
    """Return the uncertainty of a logistic regression on the known labels for each row: 1 − (top − second probability).

    All ones while fewer than two different labels are known; never below MIN_UNCERTAINTY.
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
    probabilities = np.sort(model.predict_proba(vectors), axis=1)
    margins = probabilities[:, -1] - probabilities[:, -2]
    uncertainty: FloatArray = np.maximum(1 - margins, MIN_UNCERTAINTY).astype(np.float32)
    return uncertainty


def _select_by_facility_location(
    vectors: FloatArray, sample: NDArray[np.int64], weights: FloatArray, known: Sequence[int], count: int
) -> list[int]:
    """Select rows greedily with lazy evaluation (Minoux 1978), by how well they represent the rows in `sample`."""
    import heapq

    import numpy as np

    similarities = np.maximum(vectors @ vectors[sample].T, 0)
    np.power(similarities, SIMILARITY_POWER, out=similarities)
    best = similarities[known].max(axis=0, initial=0.0) if known else np.zeros(len(sample), dtype=np.float32)
    # In blocks: the difference of all similarities at once would need a second matrix of 400 MB.
    gains = [
        gain for start in range(0, len(similarities), GAIN_BLOCK_ROWS)
        for gain in (np.maximum(similarities[start : start + GAIN_BLOCK_ROWS] - best, 0) @ weights).tolist()
    ]
    labelled = set(known)
    heap = [(-gain, row) for row, gain in enumerate(gains) if row not in labelled]
    heapq.heapify(heap)
    selected: list[int] = []
    while heap and len(selected) < count:
        _, row = heapq.heappop(heap)
        gain = float(np.maximum(similarities[row] - best, 0) @ weights)
        # The objective is submodular: gains in the heap are upper bounds. A fresh gain that still leads is the best.
        if heap and (-gain, row) > heap[0]:
            heapq.heappush(heap, (-gain, row))
            continue
        selected.append(row)
        best = np.maximum(best, similarities[row])
    return selected
