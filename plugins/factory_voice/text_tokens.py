"""Words, figures and word n-grams of texts."""

from __future__ import annotations

import re
from collections.abc import Sequence

WORD_PATTERN = re.compile(r"\w+(?:['’]\w+)*")
FIGURE_PATTERN = re.compile(r"\d+(?:[.,:/]\d+)*")


def split_folded_words(text: str) -> list[str]:
    """Split a text into case-folded words."""
    return WORD_PATTERN.findall(text.casefold())


def extract_written_figures(text: str) -> frozenset[str]:
    """Extract the numbers written in digits, as written."""
    return frozenset(FIGURE_PATTERN.findall(text))


def collect_word_ngrams(words: Sequence[str], length: int) -> set[tuple[str, ...]]:
    """Collect all n-grams of `length` words."""
    return {tuple(words[start : start + length]) for start in range(len(words) - length + 1)}
