"""Means of clustered rows: their bootstrap, the test that gives interval and p value, power, and Holm's adjustment.

The bootstrap resamples whole clusters (Cameron, Gelbach & Miller 2008, "Bootstrap-based improvements for inference
with clustered errors") and widens its percentiles for the small sample (Hesterberg 2015, "What teachers should know
about the bootstrap", the expanded percentile interval). A row without a group is its own cluster.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from factory.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

BOOTSTRAP_BLOCK = 2_000_000
"""Number of draws in memory at once, which limits a bootstrap to some tens of MiB."""
POWER = 0.8
DIGITS = 6
RESAMPLES, SEED = 10_000, 7
"""Defaults for intervals shown with means; the spec sets those of the gate."""


@dataclass(frozen=True, slots=True)
class ConfidenceInterval:
    """A mean over `n` rows with its two-sided interval."""

    mean: float
    low: float
    high: float
    n: int

    def excludes(self, value: float) -> bool:
        return not self.low <= value <= self.high


@dataclass(frozen=True, slots=True)
class ClusterSample:
    """Sums and sizes of clusters, in the order of their names, from which means and errors are computed."""

    sums: Floats
    sizes: Floats

    @property
    def mean(self) -> float:
        return float(self.sums.sum() / self.sizes.sum())

    @property
    def effective_clusters(self) -> float:
        """The number of equally large clusters with the same precision: (Σ size)² / Σ size² (Kish 1965)."""
        return float(self.sizes.sum() ** 2 / (self.sizes**2).sum())

    @property
    def standard_error(self) -> float:
        """Standard error of the mean, from the residuals of clusters (Liang & Zeger 1986)."""
        count = len(self.sums)
        residuals = self.sums - self.mean * self.sizes
        return float(math.sqrt(count / (count - 1) * (residuals**2).sum()) / self.sizes.sum())


def group_by_cluster(values: Sequence[float], clusters: Sequence[str]) -> ClusterSample:
    """Group values by their clusters; the order of values does not matter.

    Raises InputError if all belong to one cluster, from which nothing follows for others.
    """
    import numpy as np

    members: dict[str, list[float]] = {}
    for value, cluster in zip(values, clusters, strict=True):
        members.setdefault(cluster, []).append(value)
    if len(members) < 2:
        problem = f"all test rows are of one group ({next(iter(members))!r})" if members else "there are no test rows"
        raise InputError(f"{problem}: an interval needs rows of several groups; raise data.split.test")
    ordered = [members[cluster] for cluster in sorted(members)]
    return ClusterSample(np.array(list(map(math.fsum, ordered))), np.array(list(map(len, ordered)), dtype=np.float64))


def bootstrap_means(samples: Sequence[ClusterSample], resamples: int, seed: int) -> list[Floats]:
    """Return the sorted means of resampled clusters for each sample: (resamples,). All samples must have the same
    clusters, and share the draws.
    """
    import numpy as np

    sizes, sums = samples[0].sizes, np.stack([data.sums for data in samples], axis=1)
    means = np.concatenate([
        (times @ sums) / (times @ sizes)[:, None] for times in iterate_resamples(len(sizes), resamples, seed)
    ])
    means.sort(axis=0)
    return list(means.T)


def iterate_resamples(count: int, resamples: int, seed: int) -> Iterator[Floats]:
    """Yield how often each of `count` clusters is drawn, in blocks of resamples: (block, count)."""
    import numpy as np

    generator = np.random.default_rng(seed)
    step = max(1, BOOTSTRAP_BLOCK // count)
    for start in range(0, resamples, step):
        rows = min(step, resamples - start)
        draws = generator.integers(0, count, (rows, count), dtype=np.int32)
        # An offset per resample: one bincount then counts the clusters of all of them.
        draws += np.arange(rows, dtype=np.int32)[:, None] * count
        yield np.bincount(draws.ravel(), minlength=rows * count).reshape(rows, count).astype(np.float64)


@dataclass(frozen=True, slots=True)
class ClusterTest:
    """The test of a mean over clusters, by two methods of which the less certain one counts for each bound and for p.

    One is the percentile bootstrap (`means`, sorted), the other Student's t with the cluster-robust error and Kish's
    effective number of clusters less one as degrees of freedom. The bootstrap alone ships by chance with few clusters,
    as no resample is below the smallest of them; t alone does with few clusters of uneven sizes. `least_error` is the
    smallest standard error that the rows can support.
    """

    data: ClusterSample
    means: Floats
    least_error: float = 0.0
    limit: float = math.inf
    """No mean is beyond ±`limit`: this bounds the interval of few clusters."""

    @property
    def mean(self) -> float:
        return self.data.mean

    @property
    def standard_error(self) -> float:
        return max(self.data.standard_error, self.least_error)

    @property
    def freedom(self) -> float:
        """Degrees of freedom."""
        return max(self.data.effective_clusters - 1, 1.0)

    def compute_bounds(self, confidence: float) -> tuple[float, float]:
        """Return the bounds of the two-sided interval: of each side, the outer one of both methods."""
        import numpy as np
        from scipy import special

        student = float(special.stdtrit(self.freedom, (1 + confidence) / 2))
        # The tails are smaller than (1 - confidence) / 2, as Student's t is wider than the normal distribution.
        tail = float(special.ndtr(-student * math.sqrt((self.freedom + 1) / self.freedom)))
        low, high = np.quantile(self.means, [tail, 1 - tail])
        reach = student * self.standard_error
        low, high = min(float(low), self.mean - reach), max(float(high), self.mean + reach)
        return max(low, -self.limit), min(high, self.limit)

    def compute_p_value(self, value: float = 0.0) -> float:
        """Return the two-sided p that the true mean is `value`: 1 − the largest confidence at which the interval
        excludes it.
        """
        from scipy import special

        # The tails are bent back as `compute_bounds` bends them.
        bent = special.ndtri(self._find_tails(value)) * math.sqrt(self.freedom / (self.freedom + 1))
        distance, error = self.mean - value, self.standard_error
        student = distance / error if error else math.copysign(math.inf, distance) if distance else 0.0
        below, above = (special.stdtr(self.freedom, max(t, b)) for t, b in zip((-student, student), bent, strict=True))
        return float(min(1.0, 2 * min(below, above)))

    def compute_detectable_effect(self, confidence: float, power: float) -> float:
        """Return how far the true mean must be from a value so that the interval excludes it with this power."""
        from scipy import special

        low, high = self.compute_bounds(confidence)
        reach = float(special.stdtrit(self.freedom, power)) * self.standard_error
        return min((max(self.mean - low, high - self.mean) + reach) / self._estimate_bias(), self.limit)

    def _estimate_bias(self) -> float:
        """Return by which factor a measured error is too small on average: c4 of a normal sample, less for long tails
        (the second-order term of its expansion, (kurtosis - 1) / 8n).
        """
        from scipy import special

        half = self.freedom / 2
        normal = math.exp(special.gammaln(half + 0.5) - special.gammaln(half)) / math.sqrt(half)
        squares = (self.data.sums - self.mean * self.data.sizes) ** 2
        mean = float(squares.mean())
        kurtosis = float((squares**2).mean()) / mean**2 if mean else 0.0
        return min(normal, max(1 - (kurtosis - 1) / (8 * self.freedom), 0.5))

    def _find_tails(self, value: float) -> tuple[float, float]:
        """Return the shares of the bootstrap's means below and above a value, interpolated as by `numpy.quantile`.

        Means that equal the value are on both sides. A share is 0 if no mean is on that side.
        """
        last, shares = len(self.means) - 1, []
        for right in (int(self.means.searchsorted(value, "right")), int(self.means.searchsorted(value, "left"))):
            if 0 < right <= last:
                start, end = self.means[right - 1], self.means[right]
                shares.append((right - 1 + float((value - start) / (end - start))) / last)
            else:
                shares.append(float(right > 0))
        return shares[0], 1 - shares[1]


def compute_mean_interval(
    values: Sequence[float], clusters: Sequence[str], confidence: float,
    *, binary: bool = False, resamples: int = RESAMPLES, seed: int = SEED,
) -> ConfidenceInterval:
    """Return the mean with its interval: Wilson's (1927) for binary values without groups, else that of clusters.

    Scores between 0 and 1 have an interval between 0 and 1.
    """
    from scipy.stats import binomtest

    data, count = group_by_cluster(values, clusters), len(values)
    if binary and len(data.sums) == count:
        wilson = binomtest(round(math.fsum(values)), count).proportion_ci(confidence, method="wilson")
        low, high = float(wilson.low), float(wilson.high)
    else:
        test = ClusterTest(data, bootstrap_means([data], resamples, seed)[0])
        low, high = test.compute_bounds(confidence)
        if min(values) >= 0 and max(values) <= 1:
            low, high = max(low, 0.0), min(high, 1.0)
    return ConfidenceInterval(round_number(data.mean), round_number(low), round_number(high), count)


def round_number(value: float) -> float:
    """Round to `DIGITS` digits after the point; never -0.0."""
    return round(float(value), DIGITS) + 0.0


def adjust_p_values(p_values: Sequence[float]) -> list[float]:
    """Return p values adjusted for their number (Holm 1979), in the same order."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted, highest = [0.0] * len(p_values), 0.0
    for rank, i in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = highest
    return adjusted


def compute_joint_power(comparisons: int) -> float:
    """Return the power that each comparison needs so that all succeed with `POWER`, even if dependent (Bonferroni)."""
    return 1 - (1 - POWER) / comparisons
