"""When two texts are the same, or nearly: one normal form and one similarity, for curators and the leakage check alike.

Near duplicates are found by an exact join: prefix and length filtering (Bayardo et al. 2007, "Scaling up all pairs
similarity search") over character 5-grams. Unlike MinHash it misses no pair, so that "none is left" is a proof.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

SHINGLE_LENGTH = 5
NON_WORD_PATTERN = re.compile(r"[\W_]+")
SIMILARITY_TOLERANCE = 1e-9


def normalise(text: str) -> str:
    """Compatibility form, case folded, with every run of white space and punctuation as one space.

    A text of nothing but punctuation keeps it: "+" and "-" are different.
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return NON_WORD_PATTERN.sub(" ", folded).strip() or " ".join(folded.split())


def extract_shingles(text: str) -> frozenset[str]:
    """The character 5-grams of a normalised text, ends marked; a shorter text is one gram: only its equal is near."""
    marked = f" {text} "
    if len(text) < SHINGLE_LENGTH:
        return frozenset((marked,))
    return frozenset(marked[i : i + SHINGLE_LENGTH] for i in range(len(marked) - SHINGLE_LENGTH + 1))


def compute_jaccard(one: frozenset[Any], other: frozenset[Any]) -> float:
    """Jaccard similarity of two sets of grams, 0 to 1."""
    shared = len(one & other)
    return shared / (len(one) + len(other) - shared) if shared else 0.0


class NearDuplicateIndex:
    """Texts that can be asked which of them is nearest to another, at `threshold` or above.

    All texts, of either side, are given at the start: an order of grams with the rare ones first keeps the join short.
    """

    def __init__(self, normals: Iterable[str], threshold: float) -> None:
        counts: Counter[str] = Counter()
        for normal in normals:
            counts.update(extract_shingles(normal))
        ordered = sorted(counts, key=lambda gram: (counts[gram], gram))
        self._rank = {gram: rank for rank, gram in enumerate(ordered)}
        self._threshold = threshold
        self._shingle_sets: dict[str, frozenset[int]] = {}
        self._postings: defaultdict[int, list[str]] = defaultdict(list)

    def add(self, name: str, normal: str) -> None:
        """Put one of the texts in, under a name that is not there yet."""
        bag = self._shingle_sets[name] = self._rank_shingles(normal)
        for gram in self._select_rare_prefix(bag):
            self._postings[gram].append(name)

    def find_nearest_text(self, normal: str) -> tuple[str, float] | None:
        """The name and similarity of the nearest text put in, the smallest name of equals; None when none is near."""
        bag = self._rank_shingles(normal)
        found = {name for gram in self._select_rare_prefix(bag) for name in self._postings.get(gram, ())}
        near = ((-compute_jaccard(bag, self._shingle_sets[name]), name) for name in found if self._has_comparable_size(bag, name))
        best = min((pair for pair in near if -pair[0] + SIMILARITY_TOLERANCE >= self._threshold), default=None)
        return (best[1], -best[0]) if best else None

    def _rank_shingles(self, normal: str) -> frozenset[int]:
        return frozenset(self._rank[gram] for gram in extract_shingles(normal))

    def _select_rare_prefix(self, bag: frozenset[int]) -> list[int]:
        """Of two sets that are near, in any one order of all grams, these first ones share a member."""
        return sorted(bag)[: len(bag) - math.ceil(self._threshold * len(bag) - SIMILARITY_TOLERANCE) + 1]

    def _has_comparable_size(self, bag: frozenset[int], name: str) -> bool:
        """Whether sizes alone allow the similarity."""
        small, large = sorted((len(bag), len(self._shingle_sets[name])))
        return small + SIMILARITY_TOLERANCE >= self._threshold * large


def find_duplicate_texts(texts: Mapping[str, str], threshold: float = 1.0) -> Iterator[tuple[str, str, float]]:
    """Yield (name, earlier name, similarity) for each text that repeats a kept one before it, in the order given.

    Equal normal forms come out with 1.0; nearer than `threshold` is looked for below that. Texts that normalise to
    nothing repeat nobody.
    """
    normals = {name: normalise(text) for name, text in texts.items()}
    exact: dict[str, str] = {}
    index = NearDuplicateIndex(normals.values() if threshold < 1 else (), threshold)
    for name, normal in normals.items():
        if not normal:
            continue
        if normal in exact:
            yield name, exact[normal], 1.0
            continue
        near = index.find_nearest_text(normal) if threshold < 1 else None
        if near:
            yield name, *near
            continue
        exact[normal] = name
        if threshold < 1:
            index.add(name, normal)


def join_text_columns(columns: Mapping[str, object], names: Iterable[str] = ()) -> str:
    """The text of these columns, or of all that hold text when none is named, in one string."""
    chosen = list(names) or sorted(name for name, value in columns.items() if isinstance(value, str))
    lacking = [name for name in chosen if name not in columns]
    if lacking:
        raise ValueError(f"rows have no column {lacking[0]!r}; there are {', '.join(columns)}")
    return "\n".join(str(columns[name]) for name in chosen)
