"""Exact search for near duplicates by the Jaccard similarity of character 5-grams.

Unlike MinHash the joins here miss no pair at or above the threshold, so "no leak found" is a proof. Both use prefix
filtering: sets that are similar enough must share one of their rarest shingles.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from factory.text.normalise import normalise_words
from factory.text.shingles import compute_jaccard, extract_shingles, hash_shingles, split_into_hash_chunks

if TYPE_CHECKING:
    from factory.text.shingles import IndexArray

SIMILARITY_TOLERANCE = 1e-9
SHARED_PREFIX_SHARE = 0.1
"""Shingles that the prefixes of two near sets must share, as a share of a set: more gives longer prefixes and fewer
candidates."""
SHINGLE_CACHE_SIZE = 2048
"""Cached shingle sets of frozen texts, of some 30 KiB each."""
RANK_BITS = 40
"""Bits of a shingle's rank, below the index of its text."""
MAX_PAIR_COUNTERS = 4_000_000
"""Pairs of texts counted at once: some 64 MiB."""


class GrowingShingleIndex:
    """A growing collection of normalised texts that can be searched for the greatest similarity to another text."""

    def __init__(self) -> None:
        self._shingle_sets: list[frozenset[str]] = []
        self._postings: defaultdict[str, list[int]] = defaultdict(list)

    def add(self, normal: str) -> None:
        """Add a normalised text."""
        shingles = extract_shingles(normal)
        for shingle in shingles:
            self._postings[shingle].append(len(self._shingle_sets))
        self._shingle_sets.append(shingles)

    def find_max_similarity(self, normal: str, threshold: float) -> float:
        """Return the greatest Jaccard similarity with a text of the index if it reaches `threshold`, else 0."""
        shingles = extract_shingles(normal)
        rarest_first = sorted(shingles, key=lambda shingle: (len(self._postings.get(shingle, ())), shingle))
        # A set that misses all of these has too few of the remaining shingles to reach the threshold.
        prefix = rarest_first[: len(shingles) - math.ceil(threshold * len(shingles) - SIMILARITY_TOLERANCE) + 1]
        candidates = {index for shingle in prefix for index in self._postings.get(shingle, ())}
        best = max((compute_jaccard(shingles, self._shingle_sets[index]) for index in candidates), default=0.0)
        return best if best + SIMILARITY_TOLERANCE >= threshold else 0.0


def find_nearest_frozen(
    texts: Mapping[str, str], frozen: Mapping[str, str], threshold: float
) -> Iterator[tuple[str, str, float]]:
    """Yield (name, frozen name, similarity) of the nearest frozen text for each text that reaches `threshold`.

    Equal normal forms have similarity 1.0. The join is exact: its prefixes must share several shingles (Bayardo et al.
    2007, "Scaling up all pairs similarity search"; Wang, Li & Feng 2012, "Can we beat the prefix filtering?").
    """
    exact: dict[str, str] = {}
    for name, normal in {name: normalise_words(text) for name, text in frozen.items()}.items():
        if normal:
            exact.setdefault(normal, name)
    index = _FrozenShingleIndex(list(exact), threshold) if exact else None
    names = list(texts)
    normals = [normalise_words(text) for text in texts.values()]
    for chunk in split_into_hash_chunks(normals):
        chunk_normals = normals[chunk.start : chunk.stop]
        candidates = index.find_candidates(chunk_normals) if index else {}
        for position, normal in zip(chunk, chunk_normals, strict=True):
            if normal in exact:
                yield names[position], exact[normal], 1.0
            elif position - chunk.start in candidates and index:
                nearest = index.find_nearest_candidate(normal, candidates[position - chunk.start], exact)
                if nearest:
                    yield names[position], *nearest


class _FrozenShingleIndex:
    """Distinct normalised texts to compare others with, at one threshold."""

    def __init__(self, normals: list[str], threshold: float) -> None:
        import numpy as np

        self.normals, self.threshold = normals, threshold
        chunks = [hash_shingles(normals[chunk.start : chunk.stop]) for chunk in split_into_hash_chunks(normals)]
        hashes = np.concatenate([chunk_hashes for chunk_hashes, _ in chunks])
        sizes = np.concatenate([np.diff(starts) for _, starts in chunks])
        self.hashes, hash_index, counts = np.unique(hashes, return_inverse=True, return_counts=True)
        # Rank by frequency, rarest first: rare shingles have short posting lists.
        self.ranks = np.empty(len(counts), dtype=np.int64)
        self.ranks[np.lexsort((self.hashes, counts))] = np.arange(len(counts))
        owners = np.repeat(np.arange(len(normals)), sizes)
        shared = (SHARED_PREFIX_SHARE * sizes).astype(np.int64) + 1
        prefix_lengths = _compute_prefix_lengths(sizes, shared, threshold)
        shingle, owner = _take_prefix_shingles(owners, self.ranks[hash_index], prefix_lengths)
        order = np.argsort(shingle, kind="stable")
        self.owners = owner[order]
        self.postings = np.searchsorted(shingle[order], np.arange(len(counts) + 1))
        self._cached_shingles = lru_cache(SHINGLE_CACHE_SIZE)(lambda index: extract_shingles(normals[index]))

    def find_candidates(self, normals: Sequence[str]) -> dict[int, list[int]]:
        """Return text index → indices of the frozen texts whose prefixes share enough shingles with it."""
        import numpy as np

        hashes, starts = hash_shingles(normals)
        sizes = np.diff(starts)
        owners = np.repeat(np.arange(len(normals)), sizes)
        hash_index = np.minimum(np.searchsorted(self.hashes, hashes), len(self.hashes) - 1)
        known = self.hashes[hash_index] == hashes
        unknown_counts = sizes - np.bincount(owners[known], minlength=len(normals))
        shared = (SHARED_PREFIX_SHARE * self.threshold * sizes).astype(np.int64) + 1
        # Shingles that no frozen text has come first in the order and cannot match: they only shorten the prefix,
        # and most texts are done after this lookup.
        reach = _compute_prefix_lengths(sizes, shared, self.threshold) - unknown_counts
        reach[reach < shared] = 0
        shingle, owner = _take_prefix_shingles(owners[known], self.ranks[hash_index[known]], reach)
        candidates: dict[int, list[int]] = {}
        step = max(1, MAX_PAIR_COUNTERS // len(self.normals))
        for start in range(0, len(normals), step):
            low, high = np.searchsorted(owner, (start, start + step))
            block = self._iter_sharing_pairs(shingle[low:high], owner[low:high] - start, shared[start : start + step])
            for index, other in block:
                candidates.setdefault(index + start, []).append(other)
        return candidates

    def _iter_sharing_pairs(
        self, shingle: IndexArray, owner: IndexArray, shared: IndexArray
    ) -> Iterator[tuple[int, int]]:
        """Yield (text, frozen text) pairs that have at least `shared[text]` of these shingles in common."""
        import numpy as np

        first = self.postings[shingle]
        hits = self.postings[shingle + 1] - first
        ends = np.cumsum(hits)
        # Concatenated posting lists without a Python loop: position within all hits + offset of the list it is in.
        positions = np.arange(ends[-1] if len(ends) else 0) + np.repeat(first - ends + hits, hits)
        width = len(self.normals)
        pairs = np.repeat(owner, hits) * width + self.owners[positions]
        counts = np.bincount(pairs, minlength=len(shared) * width)
        texts, others = np.nonzero(counts.reshape(len(shared), width) >= shared[:, None])
        yield from zip(texts.tolist(), others.tolist(), strict=True)

    def find_nearest_candidate(
        self, normal: str, candidates: Sequence[int], names: Mapping[str, str]
    ) -> tuple[str, float] | None:
        """Return name and similarity of the nearest candidate, the smaller name on a tie; None below the threshold."""
        shingles = extract_shingles(normal)
        scored = ((-compute_jaccard(shingles, self._cached_shingles(i)), names[self.normals[i]]) for i in candidates)
        best = min((pair for pair in scored if -pair[0] + SIMILARITY_TOLERANCE >= self.threshold), default=None)
        return (best[1], -best[0]) if best else None


def _compute_prefix_lengths(sizes: IndexArray, shared: IndexArray, threshold: float) -> IndexArray:
    """Return how many first shingles of a set must be looked at to meet `shared` of those of any near set."""
    import numpy as np

    needed: IndexArray = np.ceil(threshold * sizes - SIMILARITY_TOLERANCE).astype(np.int64)
    return sizes - needed + shared


def _take_prefix_shingles(owners: IndexArray, ranks: IndexArray, reach: IndexArray) -> tuple[IndexArray, IndexArray]:
    """Return the `reach` lowest-ranked shingles of each text, and the text that each belongs to."""
    import numpy as np

    included = reach[owners] > 0
    key = np.sort((owners[included] << RANK_BITS) | ranks[included])  # one key: several times as fast as by two
    owners, ranks = key >> RANK_BITS, key & ((1 << RANK_BITS) - 1)
    position = np.arange(len(owners)) - np.searchsorted(owners, np.arange(len(reach)))[owners]
    inside = position < reach[owners]
    return ranks[inside], owners[inside]
