"""ROUGE-L between two texts: the longest common subsequence of their words, as an F1 (Lin 2004)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from factory.api import normalise


def split_normal_words(text: str) -> list[str]:
    """The words of a text in its normal form."""
    return normalise(text).split()


def compute_rouge_l(one: Sequence[str], other: Sequence[str]) -> float:
    """F1 of the longest common subsequence of two lists of words: 0 nothing shared, 1 the same."""
    if not one or not other:
        return 0.0
    before = [0] * (len(other) + 1)
    for word in one:
        row = [0]
        for place, theirs in enumerate(other):
            row.append(before[place] + 1 if word == theirs else max(before[place + 1], row[place]))
        before = row
    return 2 * before[-1] / (len(one) + len(other))


class RougePool:
    """Texts by their words, that can be asked whether another is near to any of them."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._texts: list[tuple[list[str], Counter[str]]] = []
        for text in texts:
            self.add(text)

    def add(self, text: str) -> None:
        found = split_normal_words(text)
        self._texts.append((found, Counter(found)))

    def has_near_text(self, text: str, limit: float) -> bool:
        """Whether the ROUGE-L with one of the texts is `limit` or more. Shared words bound it: counted first."""
        found = split_normal_words(text)
        bag = Counter(found)
        return any(
            2 * (bag & theirs).total() >= limit * (len(found) + len(other)) and compute_rouge_l(found, other) >= limit
            for other, theirs in self._texts
        )
