"""Draw attribute values by weight, so that every prefix of the sequence is close to the weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from random import Random
from typing import TypeVar

T = TypeVar("T")
ROUNDING_ERROR = 1e-9


def draw_stratified_values(weights: Mapping[T, float], seed: str) -> Iterator[T]:
    """Yield values without end; after n of them a value of relative weight w occurred n·w times, to within about one.

    The next value is drawn among those that lag behind their weight, in proportion to the lag. Sequences of different
    seeds are therefore independent, whereas round-robin order would couple two attributes. A longer sequence begins
    like a shorter one.
    """
    total = sum(weights.values())
    shares = {value: weights[value] / total for value in sorted(weights, key=str) if weights[value] > 0}
    drawn = dict.fromkeys(shares, 0)
    step = 0
    while True:
        step += 1
        lags = {value: step * share - drawn[value] for value, share in shares.items()}
        lagging = {value: lag for value, lag in lags.items() if lag > ROUNDING_ERROR}
        value = Random(f"{seed} {step}").choices(list(lagging), list(lagging.values()))[0]
        drawn[value] += 1
        yield value
