"""Words, figures and word n-grams of texts."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

WORD_PATTERN = re.compile(r"\w+(?:['’]\w+)*")
PHONE_PATTERN = re.compile(r"(?<![\d-])(?:\d{3}-\d{4}|\d{3,5}(?:-\d{3,4}){2,})(?![\d-])")
"""Telephone numbers in groups, of which the hyphens do not count; 2010-2012 and 2024-02-29 are none."""
FIGURE_PATTERN = re.compile(r"(?:(?<![\w.,:/)-])-)?\d+(?:[.,:/]\d+)*")
"""A number, with the sign that stands before it but not after a word or another number."""
THOUSANDS_PATTERN = re.compile(r"-?\d{1,3}(?:,\d{3})+(?:\.\d+)?")
DECIMAL_PATTERN = re.compile(r"-?\d+\.\d+")


def split_folded_words(text: str) -> list[str]:
    """Split a text into case-folded words."""
    return WORD_PATTERN.findall(unicodedata.normalize("NFC", text.casefold()))


def count_figures(text: str) -> Counter[str]:
    """Count the numbers written in digits, each in one form: 1,000 is 1000, 10.50 is 10.5, 555-1234 is 5551234."""
    plain = unicodedata.normalize("NFKC", text).replace("\u2212", "-")
    joined = PHONE_PATTERN.sub(lambda phone: phone[0].replace("-", ""), plain)
    return Counter(map(_canonicalise_figure, FIGURE_PATTERN.findall(joined)))


def _canonicalise_figure(figure: str) -> str:
    """Drop the commas of thousands and the last zeros of decimals; times, dates and versions stay as written."""
    if THOUSANDS_PATTERN.fullmatch(figure):
        figure = figure.replace(",", "")
    return figure.rstrip("0").rstrip(".") if DECIMAL_PATTERN.fullmatch(figure) else figure


def collect_word_ngrams(words: Sequence[str], length: int) -> set[tuple[str, ...]]:
    """Collect all n-grams of `length` words."""
    return {tuple(words[start : start + length]) for start in range(len(words) - length + 1)}
