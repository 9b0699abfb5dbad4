"""The statistics of the gate: paired differences, cluster-aware intervals and p values, power and sample sizes.

The bootstrap resamples whole clusters (Cameron, Gelbach & Miller 2008, "Bootstrap-based improvements for inference
with clustered errors") and widens its percentiles for the small sample (Hesterberg 2015, "What teachers should know
about the bootstrap", the expanded percentile interval). A row without a group is its own cluster.
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


@dataclass(frozen=True, slots=True)
class ClusteredEstimate:
    """An interval, with the cluster-robust standard error and the effective number of clusters."""

    interval: ConfidenceInterval
    standard_error: float
    effective_clusters: float


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


def compute_mean_interval(
    values: Sequence[float], clusters: Sequence[str], confidence: float,
    *, binary: bool = False, resamples: int = RESAMPLES, seed: int = SEED,
) -> ConfidenceInterval:
    """Return the mean with its interval: Wilson's (1927) for binary values without groups, else the bootstrap's."""
    data = group_by_cluster(values, clusters)
    if not binary or len(data.sums) != len(values):
        return estimate_mean(data, bootstrap_means([data], resamples, seed)[0], confidence).interval
    from scipy.stats import binomtest

    interval = binomtest(round(math.fsum(values)), len(values)).proportion_ci(confidence, method="wilson")
    mean, low, high = (round(float(value), DIGITS) for value in (data.mean, interval.low, interval.high))
    return ConfidenceInterval(mean, low, high, len(values))


def bootstrap_means(samples: Sequence[ClusterSample], resamples: int, seed: int) -> list[Floats]:
    """Return the sorted means of resampled clusters for each sample: (resamples,). All samples must have the same
    clusters, and share the draws.
    """
    import numpy as np

    generator = np.random.default_rng(seed)
    sizes, sums = samples[0].sizes, np.stack([data.sums for data in samples], axis=1)
    count = len(sizes)
    means = np.empty((resamples, len(samples)))
    step = max(1, BOOTSTRAP_BLOCK // count)
    for start in range(0, resamples, step):
        rows = min(step, resamples - start)
        draws = generator.integers(0, count, (rows, count), dtype=np.int32)
        # An offset per resample: one bincount then counts the clusters of all of them.
        draws += np.arange(rows, dtype=np.int32)[:, None] * count
        times = np.bincount(draws.ravel(), minlength=rows * count).reshape(rows, count).astype(np.float64)
        means[start : start + rows] = (times @ sums) / (times @ sizes)[:, None]
    means.sort(axis=0)
    return list(means.T)


def estimate_mean(data: ClusterSample, means: Floats, confidence: float) -> ClusteredEstimate:
    """Return the mean with its expanded percentile interval, from the sorted means of a bootstrap, to six digits."""
    import numpy as np
    from scipy import special

    # The tails are smaller than (1 - confidence) / 2, as Student's t is wider than the normal distribution.
    freedom = max(data.effective_clusters - 1, 1.0)
    student = special.stdtrit(freedom, (1 + confidence) / 2) * math.sqrt((freedom + 1) / freedom)
    tail = float(special.ndtr(-student))
    # Adding 0.0 turns -0.0 into 0.0.
    mean, low, high = (round(float(x), DIGITS) + 0.0 for x in (data.mean, *np.quantile(means, [tail, 1 - tail])))
    return ClusteredEstimate(
        ConfidenceInterval(mean, low, high, int(data.sizes.sum())), data.standard_error, data.effective_clusters
    )


def compute_p_value(data: ClusterSample, means: Floats) -> float:
    """Return the two-sided p of no difference: 1 − the confidence at which `estimate_mean`'s interval touches 0."""
    import numpy as np
    from scipy import special

    below = min(float(np.mean(means <= 0)), float(np.mean(means >= 0)))
    share = (below * len(means) + 1) / (len(means) + 1)
    freedom = max(data.effective_clusters - 1, 1.0)
    bend = special.ndtri(min(share, 0.5)) * math.sqrt(freedom / (freedom + 1))
    return float(min(1.0, 2 * special.stdtr(freedom, bend)))


def compute_mcnemar_p(won: int, lost: int) -> float:
    """Return p of the exact two-sided McNemar test (1947) from the rows that only one side got right."""
    from scipy import special

    return min(1.0, 2 * float(special.bdtr(min(won, lost), won + lost, 0.5))) if won + lost else 1.0


def adjust_p_values(p_values: Sequence[float]) -> list[float]:
    """Return p values adjusted for their number (Holm 1979), in the same order."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted, highest = [0.0] * len(p_values), 0.0
    for rank, i in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = highest
    return adjusted


def compute_detectable_errors(clusters: float, confidence: float, power: float = POWER) -> float:
    """Return the true difference, in standard errors, whose interval excludes zero with this power."""
    from scipy import special

    freedom = max(clusters - 1, 1.0)
    return float(special.stdtrit(freedom, (1 + confidence) / 2) + special.stdtrit(freedom, power))


def compute_joint_power(comparisons: int) -> float:
    """Return the power that each comparison needs so that all succeed with `POWER`, even if dependent (Bonferroni)."""
    return 1 - (1 - POWER) / comparisons


def estimate_rows_needed(estimate: ClusteredEstimate, distance: float, confidence: float) -> int:
    """Return the rows with which the interval would exclude a point this far from the mean, with `POWER`."""
    reach = compute_detectable_errors(estimate.effective_clusters, confidence) * estimate.standard_error
    return max(estimate.interval.n, math.ceil(estimate.interval.n * (reach / distance) ** 2))


def subtract_scores(one: Mapping[str, float], other: Mapping[str, float], sign: int = 1) -> dict[str, float]:
    """Return row id → sign × (one − other). Raises ValueError if their rows differ, or a value is not finite."""
    if one.keys() != other.keys():
        unpaired = sorted(one.keys() ^ other.keys())
        raise ValueError(f"the contenders answered different rows: only one answered {unpaired[0]!r}")
    wrong = next((name for name in sorted(one) if not math.isfinite(one[name]) or not math.isfinite(other[name])), None)
    if wrong is not None:
        raise ValueError(f"row {wrong!r} has a score that is not a finite number")
    return {name: sign * (one[name] - other[name]) for name in one}
