"""Drop rows that repeat themselves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from pydantic import Field

from factory.api import Curator, Decision, RowsJob
from factory_curators.common import TEXT_COLUMNS_DESCRIPTION, filter_by_text

TOP_NGRAM_LIMITS = {2: 0.20, 3: 0.18, 4: 0.16}
"""Length of an n-gram of words → share of characters that the commonest one may take."""
REPEATED_NGRAM_LIMITS = {5: 0.15, 6: 0.14, 7: 0.13, 8: 0.12, 9: 0.11, 10: 0.10}
"""Length → share of characters that all repeated ones may take."""
MAX_REPEATED_LINES, MAX_REPEATED_PARAGRAPHS, MAX_REPEATED_LINE_CHARACTERS = 0.30, 0.30, 0.20
"""Shares of repeated lines, of repeated paragraphs, and of the characters in repeated lines."""


class Repetition(Curator):
    """Drops texts with many repeated lines, paragraphs or n-grams of words, by the limits of Gopher.

    Rae et al. 2021, "Scaling language models" (arXiv:2112.11446), table A1. `scale` moves all limits at once; n-grams
    are counted in texts of `words` and more, as there: a short text passes the limits by chance.
    """

    kind = "repetition"
    share_metric = "repetitive"

    scale: float = Field(1.0, gt=0, le=5, description="what the limits are multiplied by")
    words: int = Field(50, ge=4, description="words from which n-grams are counted")
    on: list[str] = Field([], description=TEXT_COLUMNS_DESCRIPTION)

    @property
    def columns(self) -> tuple[str, ...]:  # type: ignore[override]  # known only when the fields are
        return tuple(self.on)

    def curate(self, job: RowsJob) -> Iterator[Decision]:
        yield from filter_by_text(job, self.on, self._find_repetition)

    def _find_repetition(self, text: str) -> str:
        if "\n" in text and (why := self._find_repeated_lines(text)):
            return why
        words = text.lower().split()
        return self._find_repeated_ngrams(words) if len(words) >= self.words and len(set(words)) < len(words) else ""

    def _find_repeated_lines(self, text: str) -> str:
        lines = [line.strip() for line in text.split("\n") if line.strip()]
        paragraphs = [part.strip() for part in text.split("\n\n") if part.strip()]
        if _compute_repeated_share(paragraphs) > self.scale * MAX_REPEATED_PARAGRAPHS:
            return "repeats paragraphs"
        if _compute_repeated_share(lines) > self.scale * MAX_REPEATED_LINES:
            return "repeats lines"
        seen, again = set[str](), 0
        for line in lines:
            again += len(line) * (line in seen)
            seen.add(line)
        return "repeats lines" if again > self.scale * MAX_REPEATED_LINE_CHARACTERS * max(
            1, sum(map(len, lines))
        ) else ""

    def _find_repeated_ngrams(self, words: Sequence[str]) -> str:
        characters = sum(map(len, words))
        for size, share in TOP_NGRAM_LIMITS.items():
            gram, count = Counter(zip(*(words[i:] for i in range(size)), strict=False)).most_common(1)[0]
            if count > 1 and count * sum(map(len, gram)) > self.scale * share * characters:
                return f"repeats {size} words"
        for size, share in REPEATED_NGRAM_LIMITS.items():
            taken = _count_repeated_characters(words, size)
            if not taken:
                break  # what is not repeated at this length is not at a greater one
            if taken > self.scale * share * characters:
                return f"repeats {size} words and more"
        return ""


def _compute_repeated_share(parts: Sequence[str]) -> float:
    """The share of parts that stood before."""
    return 1 - len(set(parts)) / len(parts) if parts else 0.0


def _count_repeated_characters(words: Sequence[str], size: int) -> int:
    """Characters of words that are in an n-gram that stood before, each once."""
    grams = list(zip(*(words[i:] for i in range(size)), strict=False))
    if len(set(grams)) == len(grams):
        return 0
    seen: set[tuple[str, ...]] = set()
    covered: set[int] = set()
    for place, gram in enumerate(grams):
        if gram in seen:
            covered.update(range(place, place + size))
        seen.add(gram)
    return sum(len(words[place]) for place in covered)
