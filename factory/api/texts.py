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

GRAM = 5
NOT_WORD = re.compile(r"[\W_]+")
ROUNDING = 1e-9


def normalise(text: str) -> str:
    """Compatibility form, case folded, with every run of white space and punctuation as one space.

    A text of nothing but punctuation keeps it: "+" and "-" are different.
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return NOT_WORD.sub(" ", folded).strip() or " ".join(folded.split())


def grams(text: str) -> frozenset[str]:
    """The character 5-grams of a normalised text, ends marked; a shorter text is one gram: only its equal is near."""
    marked = f" {text} "
    if len(text) < GRAM:
        return frozenset((marked,))
    return frozenset(marked[i : i + GRAM] for i in range(len(marked) - GRAM + 1))


def similarity(one: frozenset[Any], other: frozenset[Any]) -> float:
    """Jaccard similarity of two sets of grams, 0 to 1."""
    shared = len(one & other)
    return shared / (len(one) + len(other) - shared) if shared else 0.0


class NearIndex:
    """Texts that can be asked which of them is nearest to another, at `threshold` or above.

    All texts, of either side, are given at the start: an order of grams with the rare ones first keeps the join short.
    """

    def __init__(self, normals: Iterable[str], threshold: float) -> None:
        counts: Counter[str] = Counter()
        for normal in normals:
            counts.update(grams(normal))
        ordered = sorted(counts, key=lambda gram: (counts[gram], gram))
        self._rank = {gram: rank for rank, gram in enumerate(ordered)}
        self._threshold = threshold
        self._bags: dict[str, frozenset[int]] = {}
        self._posts: defaultdict[int, list[str]] = defaultdict(list)

    def add(self, name: str, normal: str) -> None:
        """Put one of the texts in, under a name that is not there yet."""
        bag = self._bags[name] = self._bag(normal)
        for gram in self._prefix(bag):
            self._posts[gram].append(name)

    def nearest(self, normal: str) -> tuple[str, float] | None:
        """The name and similarity of the nearest text put in, the smallest name of equals; None when none is near."""
        bag = self._bag(normal)
        found = {name for gram in self._prefix(bag) for name in self._posts.get(gram, ())}
        near = ((-similarity(bag, self._bags[name]), name) for name in found if self._comparable(bag, name))
        best = min((pair for pair in near if -pair[0] + ROUNDING >= self._threshold), default=None)
        return (best[1], -best[0]) if best else None

    def _bag(self, normal: str) -> frozenset[int]:
        return frozenset(self._rank[gram] for gram in grams(normal))

    def _prefix(self, bag: frozenset[int]) -> list[int]:
        """Of two sets that are near, in any one order of all grams, these first ones share a member."""
        return sorted(bag)[: len(bag) - math.ceil(self._threshold * len(bag) - ROUNDING) + 1]

    def _comparable(self, bag: frozenset[int], name: str) -> bool:
        """Whether sizes alone allow the similarity."""
        small, large = sorted((len(bag), len(self._bags[name])))
        return small + ROUNDING >= self._threshold * large


def twins(texts: Mapping[str, str], threshold: float = 1.0) -> Iterator[tuple[str, str, float]]:
    """Yield (name, earlier name, similarity) for each text that repeats a kept one before it, in the order given.

    Equal normal forms come out with 1.0; nearer than `threshold` is looked for below that. Texts that normalise to
    nothing repeat nobody.
    """
    normals = {name: normalise(text) for name, text in texts.items()}
    exact: dict[str, str] = {}
    index = NearIndex(normals.values() if threshold < 1 else (), threshold)
    for name, normal in normals.items():
        if not normal:
            continue
        if normal in exact:
            yield name, exact[normal], 1.0
            continue
        near = index.nearest(normal) if threshold < 1 else None
        if near:
            yield name, *near
            continue
        exact[normal] = name
        if threshold < 1:
            index.add(name, normal)


def joined(columns: Mapping[str, object], names: Iterable[str] = ()) -> str:
    """The text of these columns, or of all that hold text when none is named, in one string."""
    chosen = list(names) or sorted(name for name, value in columns.items() if isinstance(value, str))
    lacking = [name for name in chosen if name not in columns]
    if lacking:
        raise ValueError(f"rows have no column {lacking[0]!r}; there are {', '.join(columns)}")
    return "\n".join(str(columns[name]) for name in chosen)
