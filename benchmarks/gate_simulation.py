"""How often the gate errs: builds with a known truth, judged by the gate's own functions, thousands for each setting.

Each setting draws paired differences of which the true mean is known. `SHIP` without a true gain should happen in at
most 2.5 % of builds, as should `NO_SHIP` where tuned is not worse; the 95 % interval should hold the truth in 95 % of
builds; and of builds with the true difference that the gate states as detectable, 80 % should ship. The differences of
whole clusters are drawn, and all builds of a setting share the resamples, so that thousands take seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import click
import numpy as np
from entry import run_main

from factory.evaluation import paired_tests, statistics
from factory.evaluation.gate import choose_verdict
from factory.evaluation.paired_tests import MIN_EFFECTIVE_GROUPS, PairedTest, ScoreTest
from factory.evaluation.rare_losses import find_rare_losses
from factory.evaluation.reasons import BaselineComparison
from factory.evaluation.statistics import ClusterSample, ClusterTest
from factory.events import Verdict

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

CONFIDENCE = 0.95
BLOCK = 500
"""Builds that share resamples."""
MIN_COVERAGE, MIN_POWER = 0.94, 0.78
FEW_ROWS = 4
"""Where fewer rows differ on average, no power is promised."""
ERROR_RATE = 0.025
"""What a side of the interval may err."""


@dataclass(frozen=True)
class Setting:
    """Builds of one kind. `draw(generator, builds)` gives differences around 0: (builds, baselines, clusters)."""

    name: str
    sizes: Floats
    draw: Callable[[np.random.Generator, int], Floats]
    gains: tuple[float, ...] = (0.0,)
    """The true difference to each baseline; -1 stands for the detectable one."""
    binary: bool = False
    """Whether rows are 0 or 1 and share no group: `draw` then gives -1, 0 and 1 with the gain already in it."""
    share: float = 1.0
    """Share of rows that differ."""

    @property
    def effective_groups(self) -> float:
        return ClusterSample(self.sizes, self.sizes).effective_clusters


@dataclass(frozen=True)
class Rates:
    """Shares of the builds of a setting, and the detectable effect that the gate states on average."""

    ship: float
    no_ship: float
    covered: float
    warned: float
    """Of the builds that ship, those with a warning of rare losses."""
    effect: float


def simulate(setting: Setting, builds: int, resamples: int, seed: int = 1) -> Rates:
    """Judge `builds` builds of a setting by the functions of the gate."""
    verdicts, covered, warned, effects = [], 0, 0, []
    for tests in _draw_builds(setting, builds, resamples, seed):
        comparisons = [
            BaselineComparison(
                str(i), paired_tests.evaluate_difference(test, sample, CONFIDENCE, 0.0, 1, 1),
                find_rare_losses(dict(zip(map(str, range(len(sample.sums))), sample.sums, strict=True)), test, 0.0, 1.0)
                if setting.name.startswith("rare") else None,
            )
            for i, (test, sample) in enumerate(tests)
        ]
        verdict, _ = choose_verdict(comparisons, 0.0)
        verdicts.append(verdict)
        covered += not comparisons[0].interval.excludes(setting.gains[0])
        warned += verdict is Verdict.SHIP and comparisons[0].rare_losses is not None
        power = statistics.compute_joint_power(len(tests))
        effects.append(max(test.compute_detectable_effect(CONFIDENCE, power) for test, _ in tests))
    ships = verdicts.count(Verdict.SHIP)
    return Rates(
        ships / builds, verdicts.count(Verdict.NO_SHIP) / builds, covered / builds, warned / max(ships, 1),
        float(np.mean(effects)),
    )


def _draw_builds(
    setting: Setting, builds: int, resamples: int, seed: int
) -> Iterator[list[tuple[PairedTest, ClusterSample]]]:
    """Yield the test against each baseline, with its sample, build by build."""
    for start in range(0, builds, BLOCK):
        count = min(BLOCK, builds - start)
        means = setting.draw(np.random.default_rng([seed, start]), count)
        if not setting.binary:
            means += np.array(setting.gains)[None, :, None]
        samples = [ClusterSample(sums, setting.sizes) for sums in (means * setting.sizes).reshape(-1, means.shape[2])]
        if setting.binary:
            counts = [(int((sample.sums > 0).sum()), int((sample.sums < 0).sum())) for sample in samples]
            tests: list[PairedTest] = [ScoreTest(won, lost, len(setting.sizes)) for won, lost in counts]
        else:
            found = statistics.bootstrap_means(samples, resamples, seed + start)
            tests = [
                ClusterTest(sample, sorted_means, paired_tests.compute_least_error(sample, 1.0))
                for sample, sorted_means in zip(samples, found, strict=True)
            ]
        pairs, baselines = list(zip(tests, samples, strict=True)), means.shape[1]
        yield from (pairs[i : i + baselines] for i in range(0, len(pairs), baselines))


def make_rows(name: str, n: int, draw: Callable[[np.random.Generator, tuple[int, ...]], Floats]) -> Setting:
    """Return a setting of rows without groups."""
    return Setting(f"{name}, {n} rows", np.ones(n), lambda generator, builds: draw(generator, (builds, 1, n)))


def make_groups(name: str, sizes: Floats, share: float = 0.5) -> Setting:
    """Return a setting of normal differences in groups, to whose variance the groups contribute `share`."""
    spread = np.sqrt(share + (1 - share) / sizes)
    return Setting(
        f"{name}, {len(sizes)} groups", sizes,
        lambda generator, builds: generator.normal(0, 0.3, (builds, 1, len(sizes))) * spread,
    )


def make_binary(n: int, differing: float, gain: float = 0.0) -> Setting:
    """Return a setting of right and wrong answers, of which a share differs."""
    won = (differing + gain) / 2

    def draw(generator: np.random.Generator, builds: int) -> Floats:
        return generator.choice([1.0, -1.0, 0.0], (builds, 1, n), p=[won, differing - won, 1 - differing])

    return Setting(f"binary, {n} rows, {differing:g} differ, gain {gain:g}", np.ones(n), draw, (gain,), True, differing)


def make_baselines(correlation: float, gains: tuple[float, ...]) -> Setting:
    """Return a setting of several baselines on 100 rows, of which the differences are correlated."""

    def draw(generator: np.random.Generator, builds: int) -> Floats:
        shared = generator.normal(0, 0.3, (builds, 1, 100))
        own = generator.normal(0, 0.3, (builds, len(gains), 100))
        return np.sqrt(correlation) * shared + np.sqrt(1 - correlation) * own

    rest = "others detectable" if any(gains) else "all equal"
    return Setting(f"{len(gains)} baselines, correlation {correlation:g}, {rest}", np.ones(100), draw, gains)


def make_tied(n: int, tied: float, gain: float = 0.0) -> Setting:
    """Return a setting of rows of which a share is tied, while the others gain, so that the mean does by `gain`."""
    differing = max(1 - tied, gain)

    def draw(generator: np.random.Generator, builds: int) -> Floats:
        differences = generator.normal(gain / differing, 0.3, (builds, 1, n))
        return np.where(generator.random((builds, 1, n)) < differing, differences, 0.0) - gain

    # The gain is in what is drawn; `simulate` adds it to every row, so it was subtracted from every row.
    return Setting(f"{100 * tied:g} % tied, {n} rows, gain {gain:g}", np.ones(n), draw, (gain,), share=1 - tied)


def draw_rare_losses(generator: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """Return differences of mean 0: a fifth gains 0.1, and one in fifty loses 1."""
    return np.array(generator.choice([0.1, -1.0, 0.0], shape, p=[0.2, 0.02, 0.78]))


def list_null_settings() -> list[Setting]:
    """Return the settings without a true gain."""
    equal = [make_groups("equal", np.full(count, 5.0)) for count in (3, 5, 6, 8, 10, 20, 59)]
    uneven = [make_groups("uneven", np.round(np.geomspace(1, 30, count))) for count in (5, 10, 20, 59)]
    normal = [make_rows("normal", n, lambda g, shape: g.normal(0, 0.3, shape)) for n in (5, 10, 20, 100, 400)]
    heavy = [make_rows("t of 3", n, lambda g, shape: 0.1 * g.standard_t(3, shape)) for n in (10, 20, 100)]
    tied = [make_tied(n, share) for share in (0.6, 0.9, 0.97) for n in (20, 100, 500)]
    binary = [make_binary(*pair) for pair in ((10, 0.4), (20, 0.2), (50, 0.2), (100, 0.04), (200, 0.1), (500, 0.1))]
    several = [make_baselines(share, (0.0,) * count) for count in (2, 4) for share in (0.0, 0.8)]
    rest = [make_baselines(share, (0.0, *(-1.0,) * (count - 1))) for count in (2, 4) for share in (0.0, 0.8)]
    return [*equal, *uneven, *normal, *heavy, *tied, *binary, *several, *rest]


def list_gain_settings() -> list[Setting]:
    """Return the settings of a true gain that few rows show, of which NO_SHIP would be wrong."""
    pairs = ((20, 0.05), (40, 0.03), (100, 0.01), (100, 0.02), (200, 0.01))
    tied = ((20, 0.9, 0.03), (100, 0.97, 0.01))
    return [*(make_binary(n, gain, gain) for n, gain in pairs), *(make_tied(*setting) for setting in tied)]


def list_skewed_settings() -> list[Setting]:
    """Return the settings of rare large losses, at which no cheap interval holds: the gate warns of them."""
    return [make_rows("rare losses", n, draw_rare_losses) for n in (20, 100, 200, 500)]


def fill_gains(setting: Setting, builds: int, resamples: int) -> Setting:
    """Return a setting with the detectable effect in place of -1."""
    if -1.0 not in setting.gains:
        return setting
    effect = simulate(replace(setting, gains=(0.0,) * len(setting.gains)), builds, resamples, seed=2).effect
    return replace(setting, gains=tuple(effect if gain == -1.0 else gain for gain in setting.gains))


def measure_power(setting: Setting, effect: float, builds: int, resamples: int) -> float:
    """Return the share of builds that ship if the true difference to every baseline is `effect`."""
    if setting.binary:
        likely = make_binary(len(setting.sizes), max(setting.share, effect), effect)
        return simulate(likely, builds, resamples, seed=3).ship
    return simulate(replace(setting, gains=(effect,) * len(setting.gains)), builds, resamples, seed=3).ship


def find_faults(setting: Setting, rates: Rates, power: float, builds: int) -> list[str]:
    """Return what is beyond the promised error, with two standard errors of the simulation.

    Where tuned equals several baselines, one of them is found better more often: that is no error of NO_SHIP.
    """
    limit = ERROR_RATE + 2 * (ERROR_RATE * (1 - ERROR_RATE) / builds) ** 0.5
    no_ship = rates.no_ship if len(setting.gains) == 1 or any(setting.gains) else 0.0
    faults = {"SHIP": rates.ship > limit, "NO_SHIP": no_ship > limit, "covered": rates.covered < MIN_COVERAGE}
    # Where hardly a row differs, the stated effect is that of three rows which might, and no normal theory holds.
    is_weak = power < MIN_POWER and setting.share * len(setting.sizes) >= FEW_ROWS
    return [*(name for name, is_wrong in faults.items() if is_wrong), *(["power"] if is_weak else [])]


@click.command()
@click.option("--builds", default=4000, help="builds of each setting")
@click.option("--resamples", default=3000, help="bootstrap resamples")
def main(builds: int, resamples: int) -> None:
    """Print a table of all settings as Markdown; power is that at the detectable effect."""
    click.echo("| setting | effective groups | false SHIP | wrong NO_SHIP | covered | detectable | power there | |")
    click.echo("|---|---|---|---|---|---|---|---|")
    for setting in map(lambda s: fill_gains(s, builds, resamples), list_null_settings()):
        rates = simulate(setting, builds, resamples)
        judged = setting.effective_groups >= MIN_EFFECTIVE_GROUPS
        power = measure_power(setting, rates.effect, builds, resamples) if judged else 0.0
        faults = find_faults(setting, rates, power, builds) if judged else ["not judged"]
        note = ", ".join(faults) or "as promised"
        _print_line(setting, rates, f"{rates.effect:.3f} | {power:.3f}", note)
    for setting in list_gain_settings():
        _print_line(setting, simulate(setting, builds, resamples), "– | –", "of a true gain")
    for setting in list_skewed_settings():
        rates = simulate(setting, builds, resamples)
        _print_line(setting, rates, "– | –", f"{rates.warned:.0%} of SHIP warned")


def _print_line(setting: Setting, rates: Rates, effect: str, note: str) -> None:
    shown = f"{rates.ship:.3f} | {rates.no_ship:.3f} | {rates.covered:.3f} | {effect} | {note} |"
    click.echo(f"| {setting.name} | {setting.effective_groups:.1f} | {shown}")


if __name__ == "__main__":
    run_main(main)
