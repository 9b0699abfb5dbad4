"""Label propagation over a nearest-neighbour graph of embeddings.

Every text passes its label distribution to its nearest neighbours, while labelled texts keep their labels, for a fixed
number of steps (label spreading: Zhou et al. 2004, "Learning with local and global consistency"). Classes are then
rescaled by their number of labels, so that dense regions do not favour a class (class mass normalisation: Zhu,
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
"""Share of a text's distribution that comes from its neighbours."""
SIMILARITY_POWER = 8
"""Exponent applied to the cosine that weights a neighbour."""
SPREADING_STEPS = 40
MAX_SIMILARITIES = 25_000_000
"""Maximum number of similarities held in memory at once (100 MB)."""


MANY_TEXTS = 20_000
"""Texts from which the size of the comparison is told."""


def describe_size(texts: int, labels: int) -> str:
    """Return how many pairs and how much memory the propagation of labels takes, in one line; nothing for few texts."""
    if texts <= MANY_TEXTS:
        return ""
    mib = (6 * MAX_SIMILARITIES * 4 + 4 * texts * labels * 4) / 2**20  # blocks with their order, and distributions
    return f"spread-labels: compares {texts:,} texts, {texts**2 / 1e9:.1f} billion pairs, in about {mib:,.0f} MiB"


def propagate_labels(
    vectors: NDArray[Any], labels_known: Mapping[int, str], neighbours: int = DEFAULT_NEIGHBOURS
) -> tuple[list[str], FloatArray]:
    """Return the label of each row of `vectors` (texts × width, L2-normalised) and its confidence, 0 to 1.

    `labels_known` maps rows to labels; they keep them, with confidence 1. A row that no label reaches has confidence 0.
    Raises ValueError for fewer than two labels.
    """
    import numpy as np

    names = sorted(set(labels_known.values()))
    if len(names) < 2:
        raise ValueError(f"at least two different labels are needed to propagate, got {len(names)}")
    known = sorted(labels_known)
    seeds = np.zeros((len(vectors), len(names)), dtype=np.float32)
    seeds[known, [names.index(labels_known[row]) for row in known]] = 1.0
    graph, mass = _build_neighbour_graph(np.ascontiguousarray(vectors, dtype=np.float32), neighbours), seeds
    for _ in range(SPREADING_STEPS):
        mass = NEIGHBOUR_WEIGHT * (graph @ mass) + (1 - NEIGHBOUR_WEIGHT) * seeds
    mass = mass * (seeds.sum(0) / np.maximum(mass.sum(0), 1e-12))  # class mass normalisation
    shares = mass / np.maximum(mass.sum(1, keepdims=True), 1e-12)
    shares[known] = seeds[known]
    best = shares.argmax(1)
    return [names[index] for index in best.tolist()], shares[np.arange(len(shares)), best]


def _build_neighbour_graph(vectors: FloatArray, neighbours: int) -> Any:
    """Build the sparse graph of nearest neighbours, weighted by similarity and symmetrically normalised by degree."""
    import numpy as np
    from scipy.sparse import csr_matrix, diags

    count = min(neighbours, len(vectors) - 1)
    columns, weights = [], []
    # One block of rows at a time: the whole similarity matrix would not fit into memory.
    step = max(1, MAX_SIMILARITIES // len(vectors))
    for start in range(0, len(vectors), step):
        similarities = vectors[start : start + step] @ vectors.T
        similarities[np.arange(len(similarities)), np.arange(start, start + len(similarities))] = -np.inf
        # astype copies: a view would keep the whole block of similarities alive.
        nearest = np.argpartition(-similarities, count - 1, axis=1)[:, :count].astype(np.int32)
        columns.append(nearest)
        weights.append(np.maximum(np.take_along_axis(similarities, nearest, axis=1), 0) ** SIMILARITY_POWER)
    starts = np.arange(0, count * len(vectors) + 1, count)
    shape = (len(vectors), len(vectors))
    directed = csr_matrix((np.concatenate(weights).ravel(), np.concatenate(columns).ravel(), starts), shape=shape)
    graph = directed.maximum(directed.T)
    scale = diags(1 / np.sqrt(np.maximum(np.asarray(graph.sum(1)).ravel(), 1e-12)))
    return (scale @ graph @ scale).astype(np.float32)
