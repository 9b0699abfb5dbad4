"""What is read out of a text: its words, its figures, its runs of words."""

from __future__ import annotations

import re
from collections.abc import Sequence

WORD = re.compile(r"\w+(?:['’]\w+)*")
FIGURE = re.compile(r"\d+(?:[.,:/]\d+)*")


def words(text: str) -> list[str]:
    """The words of a text, case folded."""
    return WORD.findall(text.casefold())


def figures(text: str) -> frozenset[str]:
    """The numbers that stand in a text in digits, as they are written."""
    return frozenset(FIGURE.findall(text))


def runs(said: Sequence[str], length: int) -> set[tuple[str, ...]]:
    """Every run of `length` words."""
    return {tuple(said[place : place + length]) for place in range(len(said) - length + 1)}
