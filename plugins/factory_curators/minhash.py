"""Near duplicates among many texts: MinHash with LSH bands proposes pairs, and their Jaccard similarity decides.

Broder 1997, "On the resemblance and containment of documents"; bands as in Leskovec, Rajaraman & Ullman, "Mining of
Massive Datasets", ch. 3. A pair at the threshold is missed with a probability of one in a thousand; there are no false
positives.
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
"""Highest share of missed pairs at the threshold; determines the number of bands."""
MAX_BUCKET_NEIGHBOURS = 200
"""Later texts of its bucket that each text is compared with: bounds the time for very large buckets."""
CACHED_SHINGLE_SETS = 2048
"""Shingle sets kept in memory, of about 30 KiB each."""


def build_shingle_similarity(texts: Sequence[str]) -> Callable[[int, int], float]:
    """Return the Jaccard similarity of normalised texts as a function of two indices, with cached shingle sets."""
    get_shingles = lru_cache(CACHED_SHINGLE_SETS)(lambda index: extract_shingles(texts[index]))
    return lambda a, b: compute_jaccard(get_shingles(a), get_shingles(b))


def find_near_pairs(
    texts: Sequence[str], threshold: float, similarity: Callable[[int, int], float],
    progress: Callable[[int, int], None],
) -> Iterator[tuple[int, int]]:
    """Yield the pairs of similar texts that connect each component. Empty texts are similar to nothing."""
    bands, width = choose_lsh_bands(threshold)
    signatures = _compute_minhashes(texts, progress)
    parent = list(range(len(texts)))
    for start in range(0, bands * width, width):
        for a, b in _iterate_bucket_pairs(signatures[:, start : start + width], texts):
            # Skip pairs already in one component: their similarity would change nothing, and is costly.
            is_new = find_root(parent, a) != find_root(parent, b)
            if is_new and similarity(a, b) + SIMILARITY_TOLERANCE >= threshold:
                merge_components(parent, a, b)
                yield a, b


def choose_lsh_bands(threshold: float) -> tuple[int, int]:
    """Return (bands, hashes per band): the widest bands that miss at most MAX_MISS_RATE of pairs at the threshold."""
    for width in range(PERMUTATIONS, 1, -1):
        count = PERMUTATIONS // width
        if (1 - threshold**width) ** count <= MAX_MISS_RATE:
            return count, width
    return PERMUTATIONS, 1


def _compute_minhashes(texts: Sequence[str], progress: Callable[[int, int], None]) -> NDArray[np.uint32]:
    """Return the MinHash signatures of all texts, (texts, permutations)."""
    import numpy as np
    from datasketch import MinHash

    sketch = MinHash(num_perm=PERMUTATIONS, seed=1, hashfunc=int)
    signatures = np.zeros((len(texts), PERMUTATIONS), dtype=np.uint32)
    for chunk in split_into_hash_chunks(texts):
        hashes, starts = hash_shingles(texts[chunk.start : chunk.stop])
        hashes32 = (hashes & np.uint64(0xFFFFFFFF)).tolist()
        for index, start, end in zip(chunk, starts[:-1].tolist(), starts[1:].tolist(), strict=True):
            sketch.clear()
            sketch.update_batch(hashes32[start:end])
            signatures[index] = sketch.hashvalues
        progress(chunk.stop, len(texts))
    return signatures


def _iterate_bucket_pairs(band: NDArray[np.uint32], texts: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Yield pairs of indices of non-empty texts that share the hashes of one band."""
    import numpy as np

    # View each row of hashes as one opaque value, so that sorting groups equal bands.
    keys = np.ascontiguousarray(band).view(np.dtype((np.void, band.shape[1] * band.itemsize))).ravel()
    order = np.argsort(keys, kind="stable")
    ends = np.flatnonzero(np.append(keys[order][1:] != keys[order][:-1], True)) + 1
    start = 0
    for end in ends.tolist():
        if end - start > 1:
            bucket = [index for index in order[start:end].tolist() if texts[index]]
            for offset, a in enumerate(bucket, 1):
                for b in bucket[offset : offset + MAX_BUCKET_NEIGHBOURS]:
                    yield a, b
        start = end
