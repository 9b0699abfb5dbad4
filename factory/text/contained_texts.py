"""Texts that a document contains, whole or nearly: the share of their word 5-grams that occurs in it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping

from factory.text.normalise import normalise_words

WORDS = 5
"""Words of a shingle."""
LEAST_WORDS = 8
"""A shorter text may occur in a document by chance."""

Shingle = tuple[str, ...]


def find_contained_texts(
    documents: Mapping[str, str], texts: Mapping[str, str], threshold: float
) -> Iterator[tuple[str, str, float]]:
    """Yield (document, text, share) for each document that contains a share of at least `threshold` of the shingles of
    a text, with the text of the largest share, the first of equal ones. Case and punctuation are ignored."""
    sizes: dict[str, int] = {}
    owners: defaultdict[Shingle, list[str]] = defaultdict(list)
    for name, text in texts.items():
        words = normalise_words(text).split()
        if len(words) >= LEAST_WORDS and (shingles := _extract_word_shingles(words)):
            sizes[name] = len(shingles)
            for shingle in shingles:
                owners[shingle].append(name)
    for name, text in documents.items():
        found = _extract_word_shingles(normalise_words(text).split())
        counts = Counter(owner for shingle in found for owner in owners.get(shingle, ()))
        shares = {owner: count / sizes[owner] for owner, count in counts.items()}
        best = max(sizes, key=lambda owner: shares.get(owner, 0.0), default="") if shares else ""
        if best and shares.get(best, 0.0) >= threshold:
            yield name, best, shares[best]


def _extract_word_shingles(words: list[str]) -> set[Shingle]:
    return {tuple(words[start : start + WORDS]) for start in range(len(words) - WORDS + 1)}
