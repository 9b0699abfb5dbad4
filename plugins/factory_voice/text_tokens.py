"""What is read out of a text: its words, its figures, its runs of words."""

from __future__ import annotations

import re
from collections.abc import Sequence

WORD_PATTERN = re.compile(r"\w+(?:['’]\w+)*")
FIGURE_PATTERN = re.compile(r"\d+(?:[.,:/]\d+)*")


def split_folded_words(text: str) -> list[str]:
    """The words of a text, case folded."""
    return WORD_PATTERN.findall(text.casefold())


def extract_written_figures(text: str) -> frozenset[str]:
    """The numbers that stand in a text in digits, as they are written."""
    return frozenset(FIGURE_PATTERN.findall(text))


def collect_word_ngrams(said: Sequence[str], length: int) -> set[tuple[str, ...]]:
    """Every run of `length` words."""
    return {tuple(said[place : place + length]) for place in range(len(said) - length + 1)}
