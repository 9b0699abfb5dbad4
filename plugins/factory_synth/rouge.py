"""ROUGE-L: the longest common subsequence of the words of two texts, as an F1 (Lin 2004)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from factory.api import normalise


def split_normal_words(text: str) -> list[str]:
    """Split the normal form of a text into words."""
    return normalise(text).split()


def compute_rouge_l(first: Sequence[str], second: Sequence[str]) -> float:
    """Compute the F1 of the longest common subsequence of two word lists: 0 nothing shared, 1 the same."""
    if not first or not second:
        return 0.0
    # Dynamic programme over two rows: previous[j] is the LCS of the words so far and second[:j].
    previous = [0] * (len(second) + 1)
    for word in first:
        row = [0]
        for j, other in enumerate(second):
            row.append(previous[j] + 1 if word == other else max(previous[j + 1], row[j]))
        previous = row
    return 2 * previous[-1] / (len(first) + len(second))


class RougePool:
    """Texts as words, to look up whether another text is near to one of them."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._texts: list[tuple[list[str], Counter[str]]] = []
        for text in texts:
            self.add(text)

    def add(self, text: str) -> None:
        words = split_normal_words(text)
        self._texts.append((words, Counter(words)))

    def has_near_text(self, text: str, limit: float) -> bool:
        """Whether the ROUGE-L with one of the texts is `limit` or more."""
        words = split_normal_words(text)
        counts = Counter(words)
        # Shared words bound the subsequence and are cheap to count, so they are tested first.
        return any(
            2 * (counts & others).total() >= limit * (len(words) + len(other))
            and compute_rouge_l(words, other) >= limit
            for other, others in self._texts
        )
