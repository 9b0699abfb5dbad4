"""Character 5-grams of many texts at once, as sets of hashes: what near duplicates are found by, in numpy.

The same sets as `texts.grams` makes one text at a time, each gram a hash of 48 bits.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from factory.text.near_duplicates import (
    SHINGLE_LENGTH,
    SIMILARITY_TOLERANCE,
    compute_jaccard,
    extract_shingles,
    normalise,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    HashArray = NDArray[np.uint64]
    IndexArray = NDArray[np.int64]

HASH_BITS = 48
"""Of a gram's hash. Two different grams of ten million share one with a chance of one in six, and then cost nothing
but a gram of one text."""
CHUNK_CHARACTERS = 2_000_000
"""Characters hashed at once: some 100 MiB."""
SHARED_PREFIX_SHARE = 0.1
"""Grams that two near sets' prefixes must share, as a share of a set: more makes prefixes longer, candidates fewer."""
SHINGLE_CACHE_SIZE = 2048
"""Sets of grams of frozen texts kept at hand, of some 30 KiB each."""
RANK_BITS = 40
"""Bits of the rank of a gram, below the place of its text."""
MAX_PAIR_COUNTERS = 4_000_000
"""Pairs of texts counted at once: some 64 MiB."""
HASH_MULTIPLIER = 0x9E3779B97F4A7C15


def split_into_hash_chunks(normals: Sequence[str]) -> Iterator[range]:
    """Places of texts that are hashed together: at most so many letters and, by the width of a key, 65,536 texts."""
    start = letters = 0
    for place, normal in enumerate(normals):
        if letters > CHUNK_CHARACTERS or place - start == 1 << (64 - HASH_BITS):
            yield range(start, place)
            start, letters = place, 0
        letters += len(normal)
    if start < len(normals):
        yield range(start, len(normals))


def hash_shingles(normals: Sequence[str]) -> tuple[HashArray, IndexArray]:
    """The grams of a chunk of normalised texts: hashes in order, text after text, and where each text's begin.

    `starts` has one place more than there are texts, the end.
    """
    import numpy as np

    long = [normal if len(normal) >= SHINGLE_LENGTH else "" for normal in normals]
    keys = [_hash_windows(long)]
    short = [(i, normal) for i, normal in enumerate(normals) if len(normal) < SHINGLE_LENGTH]
    keys.append(np.array([(i << HASH_BITS) | _hash_short_text(normal) for i, normal in short], dtype=np.uint64))
    key = np.sort(np.concatenate(keys))
    key = key[np.append(True, key[1:] != key[:-1])] if len(key) else key
    owners = (key >> np.uint64(HASH_BITS)).astype(np.int64)
    starts = np.searchsorted(owners, np.arange(len(normals) + 1)).astype(np.int64)
    return key & np.uint64((1 << HASH_BITS) - 1), starts


def _hash_windows(normals: Sequence[str]) -> HashArray:
    """A key for every five characters in a row of every text: its place above its hash. An empty text has none."""
    import numpy as np

    marked = [f" {normal} " if normal else "" for normal in normals]
    letters = np.frombuffer("".join(marked).encode("utf-32-le", "surrogatepass"), dtype=np.uint32).astype(np.uint64)
    lengths = np.fromiter(map(len, marked), dtype=np.int64, count=len(marked))
    if len(letters) < SHINGLE_LENGTH:
        return np.zeros(0, dtype=np.uint64)
    hashed = letters[: len(letters) - SHINGLE_LENGTH + 1].copy()
    for shift in range(1, SHINGLE_LENGTH):
        hashed = hashed * np.uint64(HASH_MULTIPLIER) + letters[shift : len(letters) - SHINGLE_LENGTH + 1 + shift]
    hashed ^= hashed >> np.uint64(33)
    hashed *= np.uint64(0xFF51AFD7ED558CCD)
    ends = np.cumsum(lengths)
    owners = np.repeat(np.arange(len(marked), dtype=np.int64), lengths)[: len(hashed)]
    inside = np.arange(len(hashed)) + SHINGLE_LENGTH <= ends[owners]
    return (owners[inside].astype(np.uint64) << np.uint64(HASH_BITS)) | (hashed[inside] >> np.uint64(64 - HASH_BITS))


def _hash_short_text(normal: str) -> int:
    """The hash of a text too short for a gram: only its equal has it."""
    return int.from_bytes(hashlib.blake2b(normal.encode("utf-8", "surrogatepass"), digest_size=HASH_BITS // 8).digest())


def find_nearest_frozen(texts: Mapping[str, str], frozen: Mapping[str, str], threshold: float) -> Iterator[tuple[str, str, float]]:
    """Yield (name, frozen name, similarity) for each text as near as `threshold` to a frozen one, its nearest.

    Equal normal forms come with 1.0. No pair is missed: an exact join by prefixes that must share some grams (Bayardo
    et al. 2007, "Scaling up all pairs similarity search"; Wang, Li & Feng 2012, "Can we beat the prefix filtering?").
    Their order has those grams first that no frozen text has, so that most texts are done when theirs were looked up.
    """
    kept = {name: normalise(text) for name, text in frozen.items()}
    exact: dict[str, str] = {}
    for name, normal in kept.items():
        if normal:
            exact.setdefault(normal, name)
    index = _FrozenShingleIndex(list(exact), threshold) if exact else None
    names = list(texts)
    normals = [normalise(text) for text in texts.values()]
    for places in split_into_hash_chunks(normals):
        some = normals[places.start : places.stop]
        found = index.find_candidates(some) if index else {}
        for place, normal in zip(places, some, strict=True):
            if normal in exact:
                yield names[place], exact[normal], 1.0
            elif place - places.start in found and index:
                near = index.find_nearest_candidate(normal, found[place - places.start], exact)
                if near:
                    yield names[place], *near


class _FrozenShingleIndex:
    """Different normalised texts that others are held against, at one threshold."""

    def __init__(self, normals: list[str], threshold: float) -> None:
        import numpy as np

        self.normals, self.threshold = normals, threshold
        parts = [hash_shingles(normals[places.start : places.stop]) for places in split_into_hash_chunks(normals)]
        hashes = np.concatenate([part[0] for part in parts])
        sizes = np.concatenate([np.diff(part[1]) for part in parts])
        self.hashes, at, counts = np.unique(hashes, return_inverse=True, return_counts=True)
        self.ranks = np.empty(len(counts), dtype=np.int64)
        self.ranks[np.lexsort((self.hashes, counts))] = np.arange(len(counts))
        owners = np.repeat(np.arange(len(normals)), sizes)
        shared = (SHARED_PREFIX_SHARE * sizes).astype(np.int64) + 1
        gram, owner = _take_prefix_shingles(owners, self.ranks[at], _compute_prefix_lengths(sizes, shared, threshold))
        order = np.argsort(gram, kind="stable")
        self.owners = owner[order]
        self.postings = np.searchsorted(gram[order], np.arange(len(counts) + 1))
        self._cached_shingles = lru_cache(SHINGLE_CACHE_SIZE)(lambda place: extract_shingles(normals[place]))

    def find_candidates(self, normals: Sequence[str]) -> dict[int, list[int]]:
        """Place of a text → places of the frozen texts that share enough of its first grams."""
        import numpy as np

        hashes, starts = hash_shingles(normals)
        sizes = np.diff(starts)
        owners = np.repeat(np.arange(len(normals)), sizes)
        at = np.minimum(np.searchsorted(self.hashes, hashes), len(self.hashes) - 1)
        known = self.hashes[at] == hashes
        strange = sizes - np.bincount(owners[known], minlength=len(normals))
        shared = (SHARED_PREFIX_SHARE * self.threshold * sizes).astype(np.int64) + 1
        reach = _compute_prefix_lengths(sizes, shared, self.threshold) - strange
        reach[reach < shared] = 0
        gram, owner = _take_prefix_shingles(owners[known], self.ranks[at[known]], reach)
        found: dict[int, list[int]] = {}
        step = max(1, MAX_PAIR_COUNTERS // len(self.normals))
        for start in range(0, len(normals), step):
            low, high = np.searchsorted(owner, (start, start + step))
            for place, other in self._iter_sharing_pairs(gram[low:high], owner[low:high] - start, shared[start : start + step]):
                found.setdefault(place + start, []).append(other)
        return found

    def _iter_sharing_pairs(self, gram: IndexArray, owner: IndexArray, shared: IndexArray) -> Iterator[tuple[int, int]]:
        """Pairs of a text and a frozen one with so many of these grams in common as the text needs."""
        import numpy as np

        first = self.postings[gram]
        hits = self.postings[gram + 1] - first
        ends = np.cumsum(hits)
        at = np.arange(ends[-1] if len(ends) else 0) + np.repeat(first - ends + hits, hits)
        width = len(self.normals)
        counts = np.bincount(np.repeat(owner, hits) * width + self.owners[at], minlength=len(shared) * width)
        places, others = np.nonzero(counts.reshape(len(shared), width) >= shared[:, None])
        yield from zip(places.tolist(), others.tolist(), strict=True)

    def find_nearest_candidate(self, normal: str, places: Sequence[int], names: Mapping[str, str]) -> tuple[str, float] | None:
        """The name and similarity of the nearest of these, the smallest name of equals; None when none is near."""
        bag = extract_shingles(normal)
        near = ((-compute_jaccard(bag, self._cached_shingles(place)), names[self.normals[place]]) for place in places)
        best = min((pair for pair in near if -pair[0] + SIMILARITY_TOLERANCE >= self.threshold), default=None)
        return (best[1], -best[0]) if best else None


def _compute_prefix_lengths(sizes: IndexArray, shared: IndexArray, threshold: float) -> IndexArray:
    """How many first grams of sets of these sizes, in any one order of all, hold `shared` of a near set's first."""
    import numpy as np

    needed: IndexArray = np.ceil(threshold * sizes - SIMILARITY_TOLERANCE).astype(np.int64)
    return sizes - needed + shared


def _take_prefix_shingles(owners: IndexArray, ranks: IndexArray, reach: IndexArray) -> tuple[IndexArray, IndexArray]:
    """The first grams of each text in the order of ranks, as many as its reach, and whose they are."""
    import numpy as np

    asked = reach[owners] > 0
    key = np.sort((owners[asked] << RANK_BITS) | ranks[asked])  # one key: several times as fast as by two
    owners, ranks = key >> RANK_BITS, key & ((1 << RANK_BITS) - 1)
    nth = np.arange(len(owners)) - np.searchsorted(owners, np.arange(len(reach)))[owners]
    inside = nth < reach[owners]
    return ranks[inside], owners[inside]
