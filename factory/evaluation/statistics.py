"""The statistics of the gate: paired differences, intervals that respect groups, and what a number of rows can show.

The bootstrap resamples whole clusters (Cameron, Gelbach & Miller 2008, "Bootstrap-based improvements for inference
with clustered errors") and widens its percentiles for the small sample (Hesterberg 2015, "What teachers should know
about the bootstrap", the expanded percentile interval). A row without a group is a cluster of its own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from factory.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

BOOTSTRAP_BLOCK = 2_000_000
"""Draws held at once: bounds the memory of a bootstrap to some tens of MiB."""
POWER = 0.8
DIGITS = 6
RESAMPLES, SEED = 10_000, 7
"""Of the intervals shown beside means; those of the gate are the spec's to choose."""


@dataclass(frozen=True, slots=True)
class ConfidenceInterval:
    """A mean over `n` rows with its two-sided interval."""

    mean: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True)
class ClusteredEstimate:
    """An interval with what it rests on: the cluster-robust standard error, and the effective number of clusters."""

    interval: ConfidenceInterval
    standard_error: float
    effective_clusters: float


@dataclass(frozen=True, slots=True)
class ClusterSample:
    """Sums and sizes of clusters, in the order of their names: all that a mean and its error need."""

    sums: Floats
    sizes: Floats

    @property
    def mean(self) -> float:
        """The mean over rows."""
        return float(self.sums.sum() / self.sizes.sum())

    @property
    def effective_clusters(self) -> float:
        """How many clusters of equal size these are worth: (Σ size)² / Σ size² (Kish 1965)."""
        return float(self.sizes.sum() ** 2 / (self.sizes**2).sum())

    @property
    def standard_error(self) -> float:
        """Standard error of the mean, from the residuals of clusters (Liang & Zeger 1986)."""
        count = len(self.sums)
        residuals = self.sums - self.mean * self.sizes
        return float(math.sqrt(count / (count - 1) * (residuals**2).sum()) / self.sizes.sum())


def group_by_cluster(values: Sequence[float], clusters: Sequence[str]) -> ClusterSample:
    """Values with the cluster of each, ready to resample; their order plays no part.

    Raises InputError when all are of one cluster: nothing can be said then of any other.
    """
    import numpy as np

    members: dict[str, list[float]] = {}
    for value, cluster in zip(values, clusters, strict=True):
        members.setdefault(cluster, []).append(value)
    if len(members) < 2:
        named = f"all of one group ({next(iter(members))!r})" if members else "none at all"
        raise InputError(f"the test rows are {named}: an interval needs rows of several groups; raise data.split.test")
    ordered = [members[cluster] for cluster in sorted(members)]
    return ClusterSample(
        np.array([math.fsum(found) for found in ordered]), np.array([len(found) for found in ordered], dtype=np.float64)
    )


def compute_mean_interval(
    values: Sequence[float], clusters: Sequence[str], confidence: float,
    *, binary: bool = False, resamples: int = RESAMPLES, seed: int = SEED,
) -> ConfidenceInterval:
    """The mean with its interval: Wilson's for binary values each in a cluster of its own, else the bootstrap's."""
    data = group_by_cluster(values, clusters)
    if binary and len(data.sums) == len(values):
        low, high = compute_wilson_interval(math.fsum(values), len(values), confidence)
        return ConfidenceInterval(round(data.mean, DIGITS), round(low, DIGITS), round(high, DIGITS), len(values))
    return estimate_mean(data, bootstrap_means([data], resamples, seed)[0], confidence).interval


def bootstrap_means(samples: Sequence[ClusterSample], resamples: int, seed: int) -> list[Floats]:
    """For each sample, the means of resampled clusters, sorted: (resamples,). The samples are of the same clusters,
    and are drawn together.
    """
    import numpy as np

    generator = np.random.default_rng(seed)
    sizes, sums = samples[0].sizes, np.stack([data.sums for data in samples], axis=1)
    count = len(sizes)
    means = np.empty((resamples, len(samples)))
    step = max(1, BOOTSTRAP_BLOCK // count)
    for start in range(0, resamples, step):
        rows = min(step, resamples - start)
        drawn = generator.integers(0, count, (rows, count), dtype=np.int32)
        drawn += np.arange(rows, dtype=np.int32)[:, None] * count
        times = np.bincount(drawn.ravel(), minlength=rows * count).reshape(rows, count).astype(np.float64)
        means[start : start + rows] = (times @ sums) / (times @ sizes)[:, None]
    means.sort(axis=0)
    return list(means.T)


def estimate_mean(data: ClusterSample, means: Floats, confidence: float) -> ClusteredEstimate:
    """The mean with its expanded percentile interval, from the sorted means of a bootstrap. Rounded to six digits."""
    import numpy as np

    tail = _compute_tail_share(data, confidence)
    mean, low, high = (round(float(x), DIGITS) + 0.0 for x in (data.mean, *np.quantile(means, [tail, 1 - tail])))
    return ClusteredEstimate(
        ConfidenceInterval(mean, low, high, int(data.sizes.sum())), data.standard_error, data.effective_clusters
    )


def compute_p_value(data: ClusterSample, means: Floats) -> float:
    """Two-sided p of no difference: 1 − the confidence at which the interval of `estimate` first touches 0."""
    import numpy as np
    from scipy import special

    below = min(float(np.mean(means <= 0)), float(np.mean(means >= 0)))
    share = (below * len(means) + 1) / (len(means) + 1)
    freedom = max(data.effective_clusters - 1, 1.0)
    bend = special.ndtri(min(share, 0.5)) * math.sqrt(freedom / (freedom + 1))
    return float(min(1.0, 2 * special.stdtr(freedom, bend)))


def compute_mcnemar_p(won: int, lost: int) -> float:
    """Exact two-sided McNemar test (McNemar 1947): p of so uneven a split of the rows that only one side got right."""
    from scipy import special

    return min(1.0, 2 * float(special.bdtr(min(won, lost), won + lost, 0.5))) if won + lost else 1.0


def compute_wilson_interval(successes: float, n: int, confidence: float) -> tuple[float, float]:
    """Interval of a rate (Wilson 1927): stays within 0 and 1, and is right near them."""
    from scipy import special

    z = float(special.ndtri((1 + confidence) / 2))
    rate, width = successes / n, 1 + z * z / n
    middle = (rate + z * z / (2 * n)) / width
    reach = z / width * math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))
    return max(0.0, middle - reach), min(1.0, middle + reach)


def adjust_p_values(p_values: Sequence[float]) -> list[float]:
    """Adjusted p values, in the order given, that keep the chance of any false one (Holm 1979)."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted, highest = [0.0] * len(p_values), 0.0
    for place, i in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - place) * p_values[i]))
        adjusted[i] = highest
    return adjusted


def compute_detectable_errors(clusters: float, confidence: float, power: float = POWER) -> float:
    """How many standard errors a true difference must be, for its interval to clear zero with this power."""
    from scipy import special

    freedom = max(clusters - 1, 1.0)
    return float(special.stdtrit(freedom, (1 + confidence) / 2) + special.stdtrit(freedom, power))


def compute_joint_power(comparisons: int) -> float:
    """The power that each comparison needs for all to succeed with `POWER`, however they depend (Bonferroni)."""
    return 1 - (1 - POWER) / comparisons


def estimate_rows_needed(found: ClusteredEstimate, distance: float, confidence: float, power: float = POWER) -> int:
    """Rows with which the interval would clear a point so far from the mean: n · (reach · error / distance)²."""
    factor = (
        compute_detectable_errors(found.effective_clusters, confidence, power) * found.standard_error / distance
    ) ** 2
    return max(found.interval.n, math.ceil(found.interval.n * factor))


def _compute_tail_share(data: ClusterSample, confidence: float) -> float:
    """The share to cut off each end, wider than (1 − confidence) / 2 as Student's t is wider than the normal."""
    from scipy import special

    freedom = max(data.effective_clusters - 1, 1.0)
    student = special.stdtrit(freedom, (1 + confidence) / 2) * math.sqrt((freedom + 1) / freedom)
    return float(special.ndtr(-student))


def subtract_scores(one: Mapping[str, float], other: Mapping[str, float], sign: int = 1) -> dict[str, float]:
    """Row id → sign × (one − other). Raises ValueError when their rows are not the same, or a value is no number."""
    if one.keys() != other.keys():
        odd = sorted(one.keys() ^ other.keys())
        raise ValueError(f"{len(odd)} rows were answered by one of the two alone, such as {odd[0]!r}")
    wrong = next((name for name in sorted(one) if not math.isfinite(one[name]) or not math.isfinite(other[name])), None)
    if wrong is not None:
        raise ValueError(f"row {wrong!r} has a score that is not a finite number")
    return {name: sign * (one[name] - other[name]) for name in one}
