"""How often the gate errs where a recipe is judged by several seeds: builds with a known truth, by its own functions.

Each build draws the differences of every seed and row without a true gain: a part of the row, one of the seed, and one
of that seed on that row. `spread` is the standard deviation of the seeds' part, in standard errors of one seed's mean
over the rows. Beside the gate's test stand that of one seed's rows, which does not know that another seed would have
scored otherwise, and that of the rows of the means over seeds, which does not know how far these differ.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click
import numpy as np
from entry import run_main

from factory.evaluation import paired_tests, statistics
from factory.evaluation.paired_tests import PairedTest, ScoreTest
from factory.evaluation.seed_tests import SeededTest, add_seeds, measure_seed_samples
from factory.evaluation.statistics import ClusterSample, ClusterTest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

CONFIDENCE = 0.95
BLOCK = 500
"""Builds that share resamples."""
MIN_COVERAGE, ERROR_RATE = 0.94, 0.025
GAIN = 3.0
"""The true gain at which power is measured, in standard errors of one seed's mean over the rows."""


@dataclass(frozen=True)
class Setting:
    """Builds of one kind. Binary rows are right or wrong."""

    seeds: int
    spread: float
    count: int = 100
    """Number of groups, which all have the same size, or of rows, where it is 1."""
    size: int = 1
    binary: bool = False
    noise: float = 0.5
    """Variance of a seed on a row, as a share of that of a row."""

    @property
    def name(self) -> str:
        unit = f"groups of {self.size}" if self.size > 1 else "rows"
        noise = "" if self.binary else f", noise {self.noise:g}"
        return f"{'binary' if self.binary else 'normal'}, {self.count} {unit}{noise}"

    @property
    def group_deviation(self) -> float:
        """How far the rows of a group share a chance to be right."""
        return 0.15 if self.size > 1 else 0.0

    @property
    def error(self) -> float:
        """Standard error of the mean difference of one seed over the rows."""
        if self.binary:
            rows = 2 * RIGHT * (1 - RIGHT) * (1 - ALIKE) / (self.count * self.size)
            return float((rows + ((1 - ALIKE) * self.group_deviation) ** 2 / self.count) ** 0.5)
        return float(DEVIATION * ((1 + self.noise) / self.count) ** 0.5)


RIGHT, ALIKE = 0.5, 0.5
"""How often baseline and tuned are right, and on what share of rows tuned answers as the baseline does."""
DEVIATION = 0.3


@dataclass(frozen=True)
class Rates:
    """Shares of the builds of a setting by one test, and the mean width of its interval."""

    ship: float
    covered: float
    power: float
    width: float


@dataclass(frozen=True, slots=True)
class SatterthwaiteTest(SeededTest):
    """The same variances with Satterthwaite's (1946) degrees of freedom: what the gate would do without Cochran's t."""

    def _compute_reach(self, tail: float) -> float:
        from scipy import special

        parts, variance = self.parts, self.seeded_error**2
        freedom = variance**2 / sum(part**2 / own for part, own in parts) if variance else 1.0
        return -float(special.stdtrit(freedom, tail)) * self.seeded_error


def draw_differences(setting: Setting, generator: np.random.Generator, builds: int) -> Floats:
    """Return differences of mean 0 by build, seed, and row or group: (builds, seeds, count)."""
    shape: tuple[int, ...] = (builds, setting.seeds, setting.count)
    level = generator.normal(0, setting.spread * setting.error, (builds, setting.seeds, 1))
    if not setting.binary:
        row = generator.normal(0, DEVIATION, (builds, 1, setting.count))
        return np.asarray(row + generator.normal(0, DEVIATION * setting.noise**0.5, shape) + level)
    shape, single = (*shape, setting.size), (builds, 1, setting.count, setting.size)
    group = generator.normal(0, setting.group_deviation, (builds, 1, setting.count, 1))
    baseline, alike = generator.random(single) < RIGHT, generator.random(single) < ALIKE
    # Where tuned does not answer as the baseline does, its chance has all of the seed's level.
    own = generator.random(shape) < np.clip(RIGHT + group + level[..., None] / (1 - ALIKE), 0, 1)
    return (np.where(alike, baseline, own).astype(float) - baseline).mean(axis=3)


def iterate_tests(setting: Setting, builds: int, resamples: int) -> Iterator[list[PairedTest]]:
    """Yield the tests of one seed, of the rows of the means over seeds, and of seeds and rows together by Satterthwaite
    and by the gate, build by build.
    """
    sizes = np.full(setting.count, float(setting.size))
    for start in range(0, builds, BLOCK):
        drawn = draw_differences(setting, np.random.default_rng([1, start]), min(BLOCK, builds - start))
        samples = [ClusterSample(values * sizes, sizes) for values in (*drawn[:, 0], *drawn.mean(axis=1))]
        found = statistics.bootstrap_means(samples, resamples, start)
        tests = [
            ClusterTest(sample, means, paired_tests.compute_least_error(sample, 1.0))
            for sample, means in zip(samples, found, strict=True)
        ]
        for build, values in enumerate(drawn):
            one: PairedTest = tests[build]
            if setting.binary and setting.size == 1:
                one = ScoreTest(int((values[0] > 0).sum()), int((values[0] < 0).sum()), setting.count)
            mean, seeds = tests[len(drawn) + build], [ClusterSample(line * sizes, sizes) for line in values]
            parts = measure_seed_samples(seeds)
            narrow = SatterthwaiteTest(mean.data, mean.means, mean.least_error, mean.limit, tuple(parts))
            yield [one, mean, narrow, add_seeds(mean, parts)]


def simulate(setting: Setting, builds: int, resamples: int) -> list[Rates]:
    """Return the rates of each of the tests."""
    bounds = np.array([
        [test.compute_bounds(CONFIDENCE) for test in tests] for tests in iterate_tests(setting, builds, resamples)
    ])
    low, high = bounds[..., 0], bounds[..., 1]
    # A gain moves both bounds by as much: what ships then follows from the same draws.
    rates = (low > 0, (low <= 0) & (high >= 0), low + GAIN * setting.error > 0, high - low)
    return [Rates(*map(float, values)) for values in zip(*(each.mean(axis=0) for each in rates), strict=True)]


def find_faults(rates: Rates, builds: int) -> list[str]:
    """Return what is beyond the promised error, with two standard errors of the simulation."""
    limit = ERROR_RATE + 2 * (ERROR_RATE * (1 - ERROR_RATE) / builds) ** 0.5
    faults = {"SHIP": rates.ship > limit, "covered": rates.covered < MIN_COVERAGE}
    return [name for name, is_wrong in faults.items() if is_wrong]


def list_settings() -> list[Setting]:
    """Return all settings: with and without groups, binary and continuous, of 2, 3 and 5 seeds."""
    kinds: list[dict[str, Any]] = [
        {}, {"noise": 2.0}, {"count": 20, "size": 5}, {"count": 200, "binary": True}, {"count": 50, "binary": True},
        {"count": 20, "size": 5, "binary": True},
    ]
    return [Setting(seeds, spread, **kind) for kind in kinds for seeds in (2, 3, 5) for spread in (0.0, 1.0, 2.0)]


@click.command()
@click.option("--builds", default=4000, help="builds of each setting")
@click.option("--resamples", default=1000, help="bootstrap resamples")
def main(builds: int, resamples: int) -> None:
    """Print a table of all settings as Markdown; the width is that of the interval, relative to one seed's."""
    click.echo(
        "| setting | seeds | spread | false SHIP of one seed | of the mean, by rows | by Satterthwaite | of the gate | "
        "covered | width | power of one seed | of the gate | |"
    )
    click.echo(f"|{'---|' * 12}")
    for setting in list_settings():
        one, mean, narrow, gate = simulate(setting, builds, resamples)
        note = ", ".join(find_faults(gate, builds)) or "as promised"
        click.echo(
            f"| {setting.name} | {setting.seeds} | {setting.spread:g} | {one.ship:.3f} | {mean.ship:.3f} | "
            f"{narrow.ship:.3f} | {gate.ship:.3f} | {gate.covered:.3f} | {gate.width / one.width:.2f} | "
            f"{one.power:.2f} | {gate.power:.2f} | {note} |"
        )


if __name__ == "__main__":
    run_main(main)
