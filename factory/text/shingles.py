"""Character 5-grams (shingles) of texts: as sets of strings for one text, as 48-bit hashes in numpy for many."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    HashArray = NDArray[np.uint64]
    IndexArray = NDArray[np.int64]

SHINGLE_LENGTH = 5
HASH_BITS = 48
"""Bits of a shingle's hash. Among ten million shingles a collision has a chance of one in six, and then only merges
two shingles of one text."""
CHUNK_CHARACTERS = 2_000_000
"""Characters hashed at once: some 100 MiB."""
HASH_MULTIPLIER = 0x9E3779B97F4A7C15


def extract_shingles(text: str) -> frozenset[str]:
    """Return the 5-grams of a normalised text with its ends marked; a shorter text is one shingle of its own."""
    marked = f" {text} "
    if len(text) < SHINGLE_LENGTH:
        return frozenset((marked,))
    return frozenset(marked[i : i + SHINGLE_LENGTH] for i in range(len(marked) - SHINGLE_LENGTH + 1))


def compute_jaccard(left: frozenset[Any], right: frozenset[Any]) -> float:
    """Return the Jaccard similarity of two sets of shingles, 0 to 1."""
    shared = len(left & right)
    return shared / (len(left) + len(right) - shared) if shared else 0.0


def split_into_hash_chunks(normals: Sequence[str]) -> Iterator[range]:
    """Yield index ranges of texts to hash together: about CHUNK_CHARACTERS characters and at most 65,536 texts each."""
    start = characters = 0
    for index, normal in enumerate(normals):
        # A hash key holds the text's index in the 16 bits above the hash.
        if characters > CHUNK_CHARACTERS or index - start == 1 << (64 - HASH_BITS):
            yield range(start, index)
            start, characters = index, 0
        characters += len(normal)
    if start < len(normals):
        yield range(start, len(normals))


def hash_shingles(normals: Sequence[str]) -> tuple[HashArray, IndexArray]:
    """Hash the shingles of one chunk of normalised texts: the distinct hashes, text by text in ascending order, and
    the offsets where each text's hashes start (one more than there are texts).
    """
    import numpy as np

    long = [normal if len(normal) >= SHINGLE_LENGTH else "" for normal in normals]
    short_keys = []
    for index, normal in enumerate(normals):
        if len(normal) < SHINGLE_LENGTH:  # a text too short for a shingle has one hash: only an equal text matches
            digest = hashlib.blake2b(normal.encode("utf-8", "surrogatepass"), digest_size=HASH_BITS // 8).digest()
            short_keys.append((index << HASH_BITS) | int.from_bytes(digest))
    key = np.sort(np.concatenate([_hash_windows(long), np.array(short_keys, dtype=np.uint64)]))
    key = key[np.append(True, key[1:] != key[:-1])] if len(key) else key
    owners = (key >> np.uint64(HASH_BITS)).astype(np.int64)
    starts = np.searchsorted(owners, np.arange(len(normals) + 1)).astype(np.int64)
    return key & np.uint64((1 << HASH_BITS) - 1), starts


def _hash_windows(normals: Sequence[str]) -> HashArray:
    """Return a key (text index above, hash below) for every window of five characters; an empty text has none."""
    import numpy as np

    marked = [f" {normal} " if normal else "" for normal in normals]
    letters = np.frombuffer("".join(marked).encode("utf-32-le", "surrogatepass"), dtype=np.uint32).astype(np.uint64)
    lengths = np.fromiter(map(len, marked), dtype=np.int64, count=len(marked))
    if len(letters) < SHINGLE_LENGTH:
        return np.zeros(0, dtype=np.uint64)
    # Polynomial hash of all windows at once, finished with a MurmurHash3 mixing step; uint64 overflow is intended.
    hashed = letters[: len(letters) - SHINGLE_LENGTH + 1].copy()
    for shift in range(1, SHINGLE_LENGTH):
        hashed = hashed * np.uint64(HASH_MULTIPLIER) + letters[shift : len(letters) - SHINGLE_LENGTH + 1 + shift]
    hashed ^= hashed >> np.uint64(33)
    hashed *= np.uint64(0xFF51AFD7ED558CCD)
    ends = np.cumsum(lengths)
    owners = np.repeat(np.arange(len(marked), dtype=np.int64), lengths)[: len(hashed)]
    inside = np.arange(len(hashed)) + SHINGLE_LENGTH <= ends[owners]  # drop windows that span two texts
    return (owners[inside].astype(np.uint64) << np.uint64(HASH_BITS)) | (hashed[inside] >> np.uint64(64 - HASH_BITS))
