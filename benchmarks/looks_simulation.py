"""How often luck ships when the same test rows are judged again and again, by what the gate asks of further looks.

Each series has one test set, one baseline, and a tuned model that is trained anew for every look without ever being
better: it ships by luck if any look does. The looks of one series share the rows and the baseline's answers, so that
their differences correlate: by 0.5 where tuned models have nothing else in common, by more where they are alike, and by
0 only if the baseline's answers hang on no luck. The tests are the gate's own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click
import numpy as np
from entry import run_main

from factory.evaluation import paired_tests, statistics
from factory.evaluation.look_confidence import compute_look_confidence

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

CONFIDENCE, ROWS = 0.95, 100
ALPHA = (1 - CONFIDENCE) / 2
"""How often one look may ship by luck."""
BLOCK = 500
"""Looks that share resamples."""
SHOWN_LOOKS = (1, 2, 3, 5, 10, 20, 50)
SCHEDULES: dict[str, Callable[[int], float]] = {
    "no correction": lambda look: ALPHA,
    "3 free, then α / k": lambda look: ALPHA if look <= 3 else ALPHA / look,
    "3 free, then α / k(k − 1)": lambda look: ALPHA if look <= 3 else ALPHA / (look * (look - 1)),
    "the gate: 2 free, then α / k(k − 1)": lambda look: (1 - compute_look_confidence(CONFIDENCE, look)) / 2,
}
"""What look number k may err, by rule."""


@dataclass(frozen=True)
class Chance:
    """Looks of one kind. `draw(generator, series, looks)` gives differences of mean 0: (series, looks, rows)."""

    name: str
    draw: Callable[[np.random.Generator, int, int], Floats]
    binary: bool = False


def make_normal(correlation: float) -> Chance:
    """Return looks with normal differences, of which those of one series correlate."""

    def draw(generator: np.random.Generator, series: int, looks: int) -> Floats:
        shared = generator.normal(0, 0.3, (series, 1, ROWS))
        own = generator.normal(0, 0.3, (series, looks, ROWS))
        return math.sqrt(correlation) * shared + math.sqrt(1 - correlation) * own

    return Chance(f"normal, correlation {correlation:g}", draw)


def make_binary(alike: float) -> Chance:
    """Return looks with right and wrong answers, 80 % right; tuned models share a part of their answers."""

    def draw(generator: np.random.Generator, series: int, looks: int) -> Floats:
        ease = generator.beta(4, 1, (series, 1, ROWS))
        base, common = (generator.random((series, 1, ROWS)) < ease for _ in range(2))
        own = generator.random((series, looks, ROWS)) < ease
        tuned = np.where(generator.random((series, looks, ROWS)) < alike, common, own)
        return tuned.astype(np.float64) - base

    return Chance(f"right or wrong, {100 * alike:g} % of answers alike", draw, True)


def list_chances() -> list[Chance]:
    """Return all kinds of looks, those with the least in common first."""
    return [*map(make_normal, (0.0, 0.5, 0.8, 0.95)), *map(make_binary, (0.0, 0.8))]


def simulate(chance: Chance, series: int, looks: int, resamples: int, seed: int = 1) -> Floats:
    """Return what each look would have to be allowed to err so that it ships, by luck: (series, looks)."""
    drawn = chance.draw(np.random.default_rng(seed), series, looks).reshape(-1, ROWS)
    if chance.binary:
        counts = ((int((row > 0).sum()), int((row < 0).sum())) for row in drawn)
        needed = [_find_needed_error(paired_tests.ScoreTest(won, lost, ROWS)) for won, lost in counts]
    else:
        needed = [error for start in range(0, len(drawn), BLOCK)
                  for error in _test_clusters(drawn[start : start + BLOCK], resamples, seed + start)]
    return np.array(needed).reshape(series, looks)


def _test_clusters(drawn: Floats, resamples: int, seed: int) -> list[float]:
    samples = [statistics.ClusterSample(row, np.ones(ROWS)) for row in drawn]
    means = statistics.bootstrap_means(samples, resamples, seed)
    return [
        _find_needed_error(statistics.ClusterTest(sample, found)) for sample, found in zip(samples, means, strict=True)
    ]


def _find_needed_error(test: paired_tests.PairedTest) -> float:
    """Return the one-sided p of a gain; the interval at twice this error touches zero."""
    half = test.compute_p_value() / 2
    return half if test.mean > 0 else 1 - half


def measure_luck(needed: Floats, schedule: Callable[[int], float], looks: int) -> float:
    """Return the share of series that have shipped by luck after so many looks."""
    allowed = np.array([schedule(look) for look in range(1, looks + 1)])
    return float((needed[:, :looks] < allowed).any(axis=1).mean())


@click.command()
@click.option("--series", default=4000, help="series of each kind")
@click.option("--resamples", default=3000, help="bootstrap resamples")
def main(series: int, resamples: int) -> None:
    """Print, as Markdown, the share of series that have shipped by luck after 1, 2, … looks, by kind and rule."""
    click.echo(f"| looks | rule | {' | '.join(map(str, SHOWN_LOOKS))} |")
    click.echo(f"|---|---|{'---|' * len(SHOWN_LOOKS)}")
    for chance in list_chances():
        needed = simulate(chance, series, max(SHOWN_LOOKS), resamples)
        for name, schedule in SCHEDULES.items():
            _print_line(chance.name, name, [measure_luck(needed, schedule, looks) for looks in SHOWN_LOOKS])


def _print_line(chance: str, rule: str, rates: Sequence[float]) -> None:
    click.echo(f"| {chance} | {rule} | {' | '.join(f'{rate:.3f}' for rate in rates)} |")


if __name__ == "__main__":
    run_main(main)
