"""The test of the paired difference between two contenders: one test gives verdict, interval, p value and power.

Binary scores of rows without groups are tested by Tango's score method (1998, "Equivalence test and confidence interval
for the difference in proportions for the paired-sample design", Statistics in Medicine 17), of which the p of no
difference is McNemar's (1947) without a correction. All others are tested by `statistics.ClusterTest`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from factory.evaluation import statistics
from factory.evaluation.seed_tests import SeedsPart, add_seeds
from factory.evaluation.statistics import ClusterSample, ClusterTest, ConfidenceInterval

if TYPE_CHECKING:
    from factory.evaluation.statistics import Floats

TIE_TOLERANCE = 1e-9
"""Differences up to this are rounding errors: such rows are tied."""
MIN_EFFECTIVE_GROUPS = 5.0
"""With fewer groups of equal size nothing follows: a sign-flip test over five of them can not reach p = 0.05."""
RULE_OF_THREE = 3
"""What happened in none of n rows may happen in 3 / n of them, at 95 % confidence (Hanley & Lippman-Hand 1983)."""


class PairedTest(Protocol):
    """What the gate asks of a test of the difference between two contenders."""

    @property
    def mean(self) -> float: ...

    @property
    def limit(self) -> float:
        """The largest difference that scores allow."""

    def compute_bounds(self, confidence: float) -> tuple[float, float]:
        """Return the bounds of the two-sided interval of the difference."""

    def compute_p_value(self, value: float = 0.0) -> float:
        """Return the two-sided p that the difference is `value`, which the interval of 1 − p touches."""

    def compute_detectable_effect(self, confidence: float, power: float) -> float:
        """Return how far the true difference must be from a value so that the interval excludes it with this power."""


@dataclass(frozen=True, slots=True)
class ScoreTest:
    """Tango's score test of `won` and `lost` among `rows` rows, of which each is 0 or 1 for both contenders."""

    won: int
    lost: int
    rows: int

    @property
    def mean(self) -> float:
        return (self.won - self.lost) / self.rows

    @property
    def limit(self) -> float:
        return 1.0

    def compute_bounds(self, confidence: float) -> tuple[float, float]:
        from scipy import optimize, special

        normal = float(special.ndtri((1 + confidence) / 2))

        def find_root(end: float, sign: int) -> float:
            if self.mean == end:
                return end
            bound = optimize.brentq(lambda x: self._compute_z(x) - sign * normal, self.mean, end, xtol=1e-12)
            return float(bound)

        return find_root(-1.0, 1), find_root(1.0, -1)

    def compute_p_value(self, value: float = 0.0) -> float:
        from scipy import special

        return float(2 * special.ndtr(-abs(self._compute_z(value))))

    def compute_detectable_effect(self, confidence: float, power: float) -> float:
        from scipy import special

        variance = (self.won + self.lost - (self.won - self.lost) ** 2 / self.rows) / self.rows
        error = math.sqrt(max(variance / self.rows, RULE_OF_THREE / self.rows**2))
        return min(float(special.ndtri((1 + confidence) / 2) + special.ndtri(power)) * error, self.limit)

    def _compute_z(self, difference: float) -> float:
        """Return the score statistic of a true difference: infinite at ±1, unless all rows say so."""
        excess = self.won - self.lost - self.rows * difference
        # The most likely share of rows that only the other one gets right, given the difference: a quadratic's root.
        a = 2 * self.rows
        b = (a - self.won + self.lost) * difference - self.won - self.lost
        c = -self.lost * difference * (1 - difference)
        share = (math.sqrt(max(b * b - 4 * a * c, 0.0)) - b) / (2 * a)
        variance = self.rows * (2 * share + difference * (1 - difference))
        if variance <= 0 or not excess:
            return math.copysign(math.inf, excess) if excess else 0.0
        return excess / math.sqrt(variance)


@dataclass(frozen=True, slots=True)
class TestedDifference:
    """A paired difference with its interval and p value, which agree about the margin, and how it came about."""

    test: PairedTest
    interval: ConfidenceInterval
    p: float
    won: int
    lost: int
    groups: int
    """Number of clusters: of rows, where they share none."""
    effective_groups: float

    @property
    def tied(self) -> int:
        return self.interval.n - self.won - self.lost

    @property
    def has_enough_groups(self) -> bool:
        return self.effective_groups >= MIN_EFFECTIVE_GROUPS


def run_paired_tests(  # noqa: PLR0913 (what there is to know of the scores, each by its name)
    differences: Sequence[Sequence[float]], clusters: Sequence[str], confidence: float, margin: float = 0.0,
    *, binary: bool = False, span: float = 1.0, draws: tuple[int, int] = (statistics.RESAMPLES, statistics.SEED),
    seeds: Sequence[SeedsPart] = (),
) -> list[TestedDifference]:
    """Test the mean differences of several contenders on the same rows, against the margin and on the same resamples.

    `clusters` names the cluster of each row, `span` is the largest difference that a row may have, and `draws` are the
    resamples and their seed. Of differences that are means over seeds, `seeds` is what those add to the variance.
    Raises InputError if all rows are of one cluster.
    """
    samples = [statistics.group_by_cluster(values, clusters) for values in differences]
    counts = [(sum(x > 0 for x in values), sum(x < 0 for x in values)) for values in differences]
    tests: list[PairedTest]
    is_seeded = any(part.variance for part in seeds)
    if binary and not is_seeded and len(samples[0].sums) == len(clusters) and _are_all_binary(differences):
        tests = [ScoreTest(won, lost, len(clusters)) for won, lost in counts]
    else:
        means = statistics.bootstrap_means(samples, *draws)
        tests = [
            add_seeds(ClusterTest(sample, found, compute_least_error(sample, span), max(span, 1.0)), seeds)
            for sample, found in zip(samples, means, strict=True)
        ]
    return [
        evaluate_difference(test, sample, confidence, margin, *count)
        for test, sample, count in zip(tests, samples, counts, strict=True)
    ]


def run_total_tests(
    differences: Sequence[Sequence[float]], clusters: Sequence[str], confidence: float, margin: float, *, span: float,
    resampled: Sequence[Floats], seeds: Sequence[SeedsPart] = (),
) -> list[TestedDifference]:
    """Test differences of totals, of which a row has the difference of its contributions (`totals.TotalScores`).

    `resampled` are the differences on the resamples, sorted; `seeds` is as in `run_paired_tests`. Won and lost are the
    rows that contribute more and less.
    """
    found = []
    for values, totals in zip(differences, resampled, strict=True):
        sample = statistics.group_by_cluster(values, clusters)
        test = add_seeds(ClusterTest(sample, totals, compute_least_error(sample, span)), seeds)
        won, lost = sum(x > 0 for x in values), sum(x < 0 for x in values)
        found.append(evaluate_difference(test, sample, confidence, margin, won, lost))
    return found


def evaluate_difference(
    test: PairedTest, sample: ClusterSample, confidence: float, margin: float, won: int, lost: int
) -> TestedDifference:
    """Return what a test says at this confidence, in the digits in which it is shown."""
    low, high = map(statistics.round_number, test.compute_bounds(confidence))
    interval = ConfidenceInterval(statistics.round_number(test.mean), low, high, int(sample.sizes.sum()))
    p, level = float(f"{test.compute_p_value(margin):.6g}"), round(1 - confidence, 12)
    # Rounding may move a bound onto the margin, or p onto the level: the rounded interval decides.
    if interval.excludes(margin) != (p < level):
        p = math.nextafter(level, 0.0) if interval.excludes(margin) else level
    return TestedDifference(test, interval, p, won, lost, len(sample.sums), sample.effective_clusters)


def compute_least_error(sample: ClusterSample, span: float) -> float:
    """Return the smallest standard error that the clusters can support; 0 if three are unlike the others.

    If fewer are, three clusters may be unlike them that were not seen, and by as much as `span`.
    """
    import numpy as np

    _, counts = np.unique(np.round(sample.sums / sample.sizes, 9), return_counts=True)
    if len(sample.sums) - counts.max() >= RULE_OF_THREE:
        return 0.0
    return span * math.sqrt(RULE_OF_THREE * float(np.mean(sample.sizes**2))) / float(sample.sizes.sum())


def subtract_scores(one: Mapping[str, float], other: Mapping[str, float], sign: int = 1) -> dict[str, float]:
    """Return row id → sign × (one − other). Raises ValueError if their rows differ, or a value is not finite."""
    if one.keys() != other.keys():
        unpaired = sorted(one.keys() ^ other.keys())
        raise ValueError(f"the contenders answered different rows: only one answered {unpaired[0]!r}")
    wrong = next((name for name in sorted(one) if not math.isfinite(one[name]) or not math.isfinite(other[name])), None)
    if wrong is not None:
        raise ValueError(f"row {wrong!r} has a score that is not a finite number")
    return {name: sign * subtract_score(one[name], other[name]) for name in one}


def subtract_score(one: float, other: float) -> float:
    """Return one − other; exactly 0 if it is no more than a rounding error."""
    return one - other if abs(one - other) > TIE_TOLERANCE else 0.0


def compute_span(*scores: Sequence[float]) -> float:
    """Return the width of the range of all scores; 1 if all are equal."""
    values = [value for contender in scores for value in contender]
    return max(values) - min(values) or 1.0


def _are_all_binary(differences: Sequence[Sequence[float]]) -> bool:
    return all(abs(x) in (0.0, 1.0) for values in differences for x in values)
