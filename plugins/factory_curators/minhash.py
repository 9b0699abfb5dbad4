"""Near duplicates among many texts: MinHash finds pairs that may be near, their grams say which are.

Broder 1997, "On the resemblance and containment of documents"; bands as in Leskovec, Rajaraman & Ullman, "Mining of
Massive Datasets", ch. 3. A pair at the threshold is missed with a chance of one in a thousand, and no pair is
taken for near that is not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from factory.text.near_duplicates import SIMILARITY_TOLERANCE
from factory.text.shingles import compute_jaccard, extract_shingles, hash_shingles, split_into_hash_chunks
from factory_curators.connected_components import find_root, merge_components

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PERMUTATIONS = 64
MAX_MISS_RATE = 0.001
"""Of pairs at the threshold, at most: what the number of bands is chosen by."""
MAX_FULL_BUCKET = 200
"""Texts of a bucket that are each held against all others of it; in a larger one, each against the next so many."""
CACHED_SHINGLE_SETS = 2048
"""Sets of grams kept at hand, of some 30 KiB each."""


class ShingleSimilarity:
    """Similarity of normalised texts by their places, remembering sets of grams for a while."""

    def __init__(self, normals: Sequence[str]) -> None:
        self._grams = lru_cache(CACHED_SHINGLE_SETS)(lambda place: extract_shingles(normals[place]))

    def __call__(self, one: int, other: int) -> float:
        return compute_jaccard(self._grams(one), self._grams(other))


def find_near_pairs(
    normals: Sequence[str], threshold: float, alike: Callable[[int, int], float], progress: Callable[[int, int], None]
) -> Iterator[tuple[int, int]]:
    """Yield pairs of places whose texts are near, as many as connect all that are. Empty texts are near to nothing."""
    rows, width = choose_lsh_bands(threshold)
    hashed = _compute_minhashes(normals, progress)
    parent = list(range(len(normals)))
    for band in range(rows):
        for bucket in _iterate_band_buckets(hashed[:, band * width : (band + 1) * width], normals):
            for one, other in _pair_bucket_members(bucket):
                apart = find_root(parent, one) != find_root(parent, other)
                if apart and alike(one, other) + SIMILARITY_TOLERANCE >= threshold:
                    merge_components(parent, one, other)
                    yield one, other


def choose_lsh_bands(threshold: float) -> tuple[int, int]:
    """How many bands, of how many hashes each: the widest that miss few enough pairs at the threshold."""
    for width in range(PERMUTATIONS, 1, -1):
        count = PERMUTATIONS // width
        if (1 - threshold**width) ** count <= MAX_MISS_RATE:
            return count, width
    return PERMUTATIONS, 1


def _compute_minhashes(normals: Sequence[str], progress: Callable[[int, int], None]) -> NDArray[np.uint32]:
    """MinHash of each text's grams: (texts, permutations)."""
    import numpy as np
    from datasketch import MinHash

    sketch = MinHash(num_perm=PERMUTATIONS, seed=1, hashfunc=int)
    signatures = np.zeros((len(normals), PERMUTATIONS), dtype=np.uint32)
    for places in split_into_hash_chunks(normals):
        hashes, starts = hash_shingles(normals[places.start : places.stop])
        words = (hashes & np.uint64(0xFFFFFFFF)).tolist()
        for place, start, end in zip(places, starts[:-1].tolist(), starts[1:].tolist(), strict=True):
            sketch.clear()
            sketch.update_batch(words[start:end])
            signatures[place] = sketch.hashvalues
        progress(places.stop, len(normals))
    return signatures


def _iterate_band_buckets(band: NDArray[np.uint32], normals: Sequence[str]) -> Iterator[list[int]]:
    """Places whose hashes of one band are the same: two or more each, empty texts left out."""
    import numpy as np

    keys = np.ascontiguousarray(band).view(np.dtype((np.void, band.shape[1] * band.itemsize))).ravel()
    order = np.argsort(keys, kind="stable")
    ends = np.flatnonzero(np.append(keys[order][1:] != keys[order][:-1], True)) + 1
    start = 0
    for end in ends.tolist():
        if end - start > 1:
            bucket = [place for place in order[start:end].tolist() if normals[place]]
            if len(bucket) > 1:
                yield bucket
        start = end


def _pair_bucket_members(bucket: Sequence[int]) -> Iterator[tuple[int, int]]:
    reach = len(bucket) if len(bucket) <= MAX_FULL_BUCKET else MAX_FULL_BUCKET
    for at, one in enumerate(bucket):
        for other in bucket[at + 1 : at + 1 + reach]:
            yield one, other
