"""Drop rows with repetitive text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from pydantic import Field

from factory.api import Decision, RowsJob
from factory_curators.common import TextCurator, filter_by_text

TOP_NGRAM_LIMITS = {2: 0.20, 3: 0.18, 4: 0.16}
"""n → highest share of characters in the most frequent word n-gram."""
REPEATED_NGRAM_LIMITS = {5: 0.15, 6: 0.14, 7: 0.13, 8: 0.12, 9: 0.11, 10: 0.10}
"""n → highest share of characters in repeated word n-grams."""
MAX_REPEATED_LINES, MAX_REPEATED_PARAGRAPHS, MAX_REPEATED_LINE_CHARACTERS = 0.30, 0.30, 0.20
"""Highest shares of repeated lines, of repeated paragraphs, and of characters in repeated lines."""


class Repetition(TextCurator):
    """Drops texts with many repeated lines, paragraphs or word n-grams, by the limits of Gopher.

    Rae et al. 2021, "Scaling language models" (arXiv:2112.11446), table A1. `limit_scale` multiplies all limits;
    n-grams are counted in texts of at least `min_words`, since short texts exceed the limits by chance.
    """

    kind = "repetition"
    share_metric = "repetitive"

    limit_scale: float = Field(1.0, gt=0, le=5, description="factor of all limits")
    min_words: int = Field(50, ge=4, description="shortest text whose n-grams are counted, in words")

    def curate(self, job: RowsJob) -> Iterator[Decision]:
        yield from filter_by_text(job, self.text_columns, self._find_repetition)

    def _find_repetition(self, text: str) -> str:
        if "\n" in text and (why := self._find_repeated_lines(text)):
            return why
        words = text.lower().split()
        has_repeats = len(words) >= self.min_words and len(set(words)) < len(words)
        return self._find_repeated_ngrams(words) if has_repeats else ""

    def _find_repeated_lines(self, text: str) -> str:
        lines = [line.strip() for line in text.split("\n") if line.strip()]
        paragraphs = [paragraph.strip() for paragraph in text.split("\n\n") if paragraph.strip()]
        if _compute_repeated_share(paragraphs) > self.limit_scale * MAX_REPEATED_PARAGRAPHS:
            return "repeats paragraphs"
        if _compute_repeated_share(lines) > self.limit_scale * MAX_REPEATED_LINES:
            return "repeats lines"
        characters = sum(map(len, lines))
        limit = self.limit_scale * MAX_REPEATED_LINE_CHARACTERS * max(1, characters)
        return "repeats lines" if characters - sum(map(len, set(lines))) > limit else ""

    def _find_repeated_ngrams(self, words: Sequence[str]) -> str:
        characters = sum(map(len, words))
        for size, share in TOP_NGRAM_LIMITS.items():
            gram, count = Counter(zip(*(words[i:] for i in range(size)), strict=False)).most_common(1)[0]
            if count > 1 and count * sum(map(len, gram)) > self.limit_scale * share * characters:
                return f"repeats runs of {size} words"
        for size, share in REPEATED_NGRAM_LIMITS.items():
            repeated = _count_repeated_characters(words, size)
            if not repeated:
                break  # an n-gram can only repeat if its shorter parts do
            if repeated > self.limit_scale * share * characters:
                return f"repeats runs of {size} or more words"
        return ""


def _compute_repeated_share(parts: Sequence[str]) -> float:
    """Return the share of parts that occurred before."""
    return 1 - len(set(parts)) / len(parts) if parts else 0.0


def _count_repeated_characters(words: Sequence[str], size: int) -> int:
    """Count the characters of words in repeated n-grams; each word counts once."""
    grams = list(zip(*(words[i:] for i in range(size)), strict=False))
    if len(set(grams)) == len(grams):
        return 0
    seen: set[tuple[str, ...]] = set()
    covered: set[int] = set()
    for start, gram in enumerate(grams):
        if gram in seen:
            covered.update(range(start, start + size))
        seen.add(gram)
    return sum(len(words[index]) for index in covered)
