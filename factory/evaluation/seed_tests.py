"""The test of a mean over rows and seeds together, where several models were trained that differ in their seed alone.

A model's score on a row has a part of the row, one of the seed, and one of that seed on that row (crossed random
effects). The mean over all has the variance V = R + S: R of rows, cluster-robust, of the means over seeds, and S, the
variance between the seeds' levels divided by their number, as Bouthillier et al. (2021, "Accounting for variance in
machine learning benchmarks", MLSys) ask for. The noise of seeds on rows is in both, and is taken out of R.

The critical value is that of Cochran (1964, "Approximate significance levels of the Behrens-Fisher test", Biometrics
20): Student's quantiles of both parts, weighted by their variances. With two seeds, S has one degree of freedom.
Satterthwaite's approximation then ships by chance in up to 5 % of builds, as two seeds are close by chance, and so do
variances less their noise that are set to 0 where they are negative; this one in no more than 2.5 %
(`benchmarks/seeds_simulation.py`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from factory.evaluation import statistics
from factory.evaluation.statistics import ClusterSample, ClusterTest

Values = Sequence[float]
MAX_SEEDS = 20
"""As many as `train.seeds` takes."""
SMALLEST_TAIL = 1e-300
ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class SeedsPart:
    """What seeds add to the variance of a mean over `count` of them."""

    count: int
    variance: float
    """Variance of the mean over seeds: that between their levels, divided by their number."""
    shared: float
    """The share of it that is noise of seeds on rows, which the variance over rows has as well."""


@dataclass(frozen=True, slots=True)
class SeededTest(ClusterTest):
    """The test of a mean over clusters and seeds: of each bound, the outer one of `ClusterTest` and of Cochran's t.

    `data` has the means over seeds. Of a difference between two contenders, each may have seeds.
    """

    seeds: tuple[SeedsPart, ...] = ()

    @property
    def parts(self) -> list[tuple[float, float]]:
        """Variance and degrees of freedom of each part, the rows first."""
        rows = max(self.standard_error**2 - sum(part.shared for part in self.seeds), 0.0)
        return [(rows, self.freedom), *((part.variance, part.count - 1.0) for part in self.seeds)]

    @property
    def seeded_error(self) -> float:
        """Standard error of the mean over rows and seeds together."""
        return math.sqrt(sum(variance for variance, _ in self.parts))

    def compute_bounds(self, confidence: float) -> tuple[float, float]:
        low, high = ClusterTest.compute_bounds(self, confidence)
        reach = self._compute_reach((1 - confidence) / 2)
        return max(min(low, self.mean - reach), -self.limit), min(max(high, self.mean + reach), self.limit)

    def compute_p_value(self, value: float = 0.0) -> float:
        return max(ClusterTest.compute_p_value(self, value), self._compute_seeded_p(abs(self.mean - value)))

    def compute_detectable_effect(self, confidence: float, power: float) -> float:
        low, high = self.compute_bounds(confidence)
        seeded = max(self.mean - low, high - self.mean) + self._compute_reach(1 - power)
        return min(max(ClusterTest.compute_detectable_effect(self, confidence, power), seeded), self.limit)

    def _compute_reach(self, tail: float) -> float:
        return compute_cochran_reach(self.parts, tail)

    def _compute_seeded_p(self, distance: float) -> float:
        """Return the two-sided p at which `_compute_reach` is the distance: it lies between those of its parts."""
        from scipy import optimize, special

        error = self.seeded_error
        if not error or not distance:
            return float(not distance)
        tails = [float(special.stdtr(freedom, -distance / error)) for variance, freedom in self.parts if variance]
        low, high = max(min(tails), SMALLEST_TAIL), max(tails)
        if high <= low * (1 + ROUNDING):
            return 2 * high
        # In logarithms, as the tails of the parts are orders of magnitude apart.
        found = optimize.brentq(
            lambda x: self._compute_reach(math.exp(x)) - distance, math.log(low) - ROUNDING, math.log(high) + ROUNDING
        )
        return float(2 * math.exp(found))


def compute_cochran_reach(parts: Sequence[tuple[float, float]], tail: float) -> float:
    """Return Cochran's quantile of a tail times the standard error, from variances with their degrees of freedom; 0 if
    nothing varies.
    """
    from scipy import special

    error = math.sqrt(sum(variance for variance, _ in parts))
    weighted = sum(variance * float(special.stdtrit(freedom, tail)) for variance, freedom in parts)
    return -weighted / error if error else 0.0


def compute_seeds_reach(test: object, confidence: float, power: float) -> float:
    """Return the part of a detectable effect that remains with any number of rows: that of the seeds."""
    parts = test.parts[1:] if isinstance(test, SeededTest) else []
    return compute_cochran_reach(parts, (1 - confidence) / 2) + compute_cochran_reach(parts, 1 - power)


def estimate_settling_seeds(test: object, value: float, confidence: float, power: float) -> int | None:
    """Return how many seeds would settle on which side of a value the mean is, if it is as measured.

    None if the rows alone leave that open, or `MAX_SEEDS` do not settle it: more seeds are then no way.
    """
    if not isinstance(test, SeededTest) or ClusterTest.compute_p_value(test, value) >= 1 - confidence:
        return None
    rows, levels = test.parts[0], [part.variance * part.count for part in test.seeds]
    for count in range(max(part.count for part in test.seeds) + 1, MAX_SEEDS + 1):
        parts = [rows, *((variance / count, count - 1.0) for variance in levels)]
        reach = compute_cochran_reach(parts, (1 - confidence) / 2) + compute_cochran_reach(parts, 1 - power)
        if reach <= abs(test.mean - value):
            return count
    return None


def add_seeds(test: ClusterTest, seeds: Sequence[SeedsPart]) -> ClusterTest:
    """Return the test over rows and seeds together; the same test if the seeds do not differ."""
    parts = tuple(part for part in seeds if part.variance > 0)
    return SeededTest(test.data, test.means, test.least_error, test.limit, parts) if parts else test


def measure_seeds(by_seed: Sequence[Values], clusters: Sequence[str]) -> list[SeedsPart]:
    """Return the part of seeds from a contender's values by seed and row: (seeds, rows); [] of fewer than two seeds.

    The values of a baseline are the same for all seeds, so that the part of a difference is that of tuned itself.
    """
    return measure_seed_samples([statistics.group_by_cluster(values, clusters) for values in by_seed])


def measure_seed_samples(samples: Sequence[ClusterSample]) -> list[SeedsPart]:
    """Return the part of seeds from a contender's clusters by seed; [] of fewer than two seeds."""
    import numpy as np

    count = len(samples)
    if count < 2:
        return []
    levels = np.array([sample.mean for sample in samples])
    middle = np.mean([sample.sums for sample in samples], axis=0)
    noise = sum(ClusterSample(sample.sums - middle, sample.sizes).standard_error ** 2 for sample in samples)
    return [SeedsPart(count, float(levels.var(ddof=1)) / count, float(noise) / (count - 1) / count)]


def average_seeds(by_seed: Sequence[Values]) -> list[float]:
    """Return the mean over seeds of each row; exact where all seeds agree, so that right and wrong stay 1 and 0."""
    return [
        values[0] if len(set(values)) == 1 else math.fsum(values) / len(values) for values in zip(*by_seed, strict=True)
    ]
