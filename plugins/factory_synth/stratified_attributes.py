"""Attributes dealt out by their weights: every beginning of the deal is as near to the weights as whole cards allow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from random import Random
from typing import TypeVar

T = TypeVar("T")
ROUNDING_ERROR = 1e-9


def draw_stratified_values(weights: Mapping[T, float], seed: str) -> Iterator[T]:
    """Yield values without end. After n of them a value of weight w (of all weights) came n·w times, but for about one.

    The next is drawn among those that are behind, by how far they are: so that two deals of other seeds are
    independent, where turns taken in order would bind the values of two attributes to each other. A longer deal begins
    as a shorter one.
    """
    total = sum(weights.values())
    shares = {value: weights[value] / total for value in sorted(weights, key=str) if weights[value] > 0}
    dealt = dict.fromkeys(shares, 0)
    place = 0
    while True:
        place += 1
        behind = {value: place * share - dealt[value] for value, share in shares.items()}
        chances = {value: lack for value, lack in behind.items() if lack > ROUNDING_ERROR}
        value = Random(f"{seed} {place}").choices(list(chances), list(chances.values()))[0]
        dealt[value] += 1
        yield value
