"""Labels that spread from a few texts to all that are like them.

Every text passes on what it believes to its nearest neighbours, and a labelled one keeps saying what it was told, until
little changes (label spreading: Zhou et al. 2004, "Learning with local and global consistency"). Classes are then
weighed by how many labels each was given, so that none wins by lying in a crowd (class mass normalisation: Zhu,
Ghahramani and Lafferty 2003).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float32]

DEFAULT_NEIGHBOURS = 10
NEIGHBOUR_WEIGHT = 0.95
"""The share of its belief that a text has from its neighbours."""
SIMILARITY_POWER = 8
"""The power of the cosine with which a neighbour counts."""
SPREADING_STEPS = 40
MAX_SIMILARITIES = 25_000_000
"""Likenesses held at once, in 100 MB."""


def propagate_labels(vectors: NDArray[Any], labels_known: Mapping[int, str], neighbours: int = DEFAULT_NEIGHBOURS) -> tuple[
    list[str], FloatArray
]:
    """The label of every row of `vectors` (texts, width; L2-normalised), and its share of the row's belief, 0 to 1.

    `labels_known` is row → label of what has one; it keeps it, with share 1. A row that no label reaches has share 0.
    Raises ValueError for fewer than two labels.
    """
    import numpy as np

    names = sorted(set(labels_known.values()))
    if len(names) < 2:
        raise ValueError(f"{len(names)} labels are known; two or more are needed to spread")
    known = sorted(labels_known)
    given = [names.index(labels_known[row]) for row in known]
    told = np.zeros((len(vectors), len(names)), dtype=np.float32)
    told[known, given] = 1.0
    graph, belief = _build_neighbour_graph(np.ascontiguousarray(vectors, dtype=np.float32), neighbours), told
    for _ in range(SPREADING_STEPS):
        belief = NEIGHBOUR_WEIGHT * (graph @ belief) + (1 - NEIGHBOUR_WEIGHT) * told
    belief = belief * (told.sum(0) / np.maximum(belief.sum(0), 1e-12))
    shares = belief / np.maximum(belief.sum(1, keepdims=True), 1e-12)
    shares[known] = told[known]
    best = shares.argmax(1)
    return [names[place] for place in best.tolist()], shares[np.arange(len(shares)), best]


def _build_neighbour_graph(vectors: FloatArray, neighbours: int) -> Any:
    """Each text and its nearest others, weighed by likeness and by how many neighbours each has: a sparse matrix."""
    import numpy as np
    from scipy.sparse import csr_matrix, diags

    count = min(neighbours, len(vectors) - 1)
    columns, weights = [], []
    step = max(1, MAX_SIMILARITIES // len(vectors))
    for start in range(0, len(vectors), step):
        alike = vectors[start : start + step] @ vectors.T
        alike[np.arange(len(alike)), np.arange(start, start + len(alike))] = -np.inf
        near = np.argpartition(-alike, count - 1, axis=1)[:, :count].astype(np.int32)  # a view would keep the whole
        columns.append(near)
        weights.append(np.maximum(np.take_along_axis(alike, near, axis=1), 0) ** SIMILARITY_POWER)
    starts = np.arange(0, count * len(vectors) + 1, count)
    shape = (len(vectors), len(vectors))
    found = csr_matrix((np.concatenate(weights).ravel(), np.concatenate(columns).ravel(), starts), shape=shape)
    both = found.maximum(found.T)
    scale = diags(1 / np.sqrt(np.maximum(np.asarray(both.sum(1)).ravel(), 1e-12)))
    return (scale @ both @ scale).astype(np.float32)
