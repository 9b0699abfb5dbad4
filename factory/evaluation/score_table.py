"""The scores of all contenders on the same rows, and the interval of a contender's own score."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from factory.api.rows import Metric
from factory.evaluation import statistics
from factory.evaluation.paired_tests import compute_least_error, compute_span
from factory.evaluation.rare_losses import compute_skew
from factory.evaluation.seed_tests import add_seeds, measure_seeds
from factory.evaluation.statistics import ClusterTest, ConfidenceInterval
from factory.evaluation.totals import TotalScores

if TYPE_CHECKING:
    from factory.evaluation.statistics import Floats

LIMITS = (1.0, 100.0)
"""The largest values of shares and of percentages."""
MIN_SKEW = 1e-3
"""A smaller skewness makes no difference."""
ScoredRows = Sequence[Mapping[str, Any]]
"""One contender's rows as in `score/<contender>.jsonl`: {"id", "group", "values": {metric: value}}."""


@dataclass(frozen=True, slots=True)
class ScoreTable:
    """The scored rows of each contender, the slices of each row by name, and the metrics by name.

    If the deciding metric is a total, `totals` has it of each contender.
    """

    rows: Mapping[str, ScoredRows]
    slices: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    total: str = ""
    totals: Mapping[str, TotalScores] = field(default_factory=dict)
    seeds: Mapping[str, ScoreTable] = field(default_factory=dict)
    """Contender → the same of each of its seeds by name, where it has several: its own scores are their means."""

    def get_values(self, contender: str, metric: str) -> dict[str, float]:
        """Return row id → value of a contender, ordered by id: of a total, what each row contributes.

        Raises ValueError if a row has no such value.
        """
        if metric and metric == self.total:
            return dict(sorted(self.totals[contender].values.items()))
        values: dict[str, float] = {}
        for row in sorted(self.rows[contender], key=lambda row: str(row["id"])):
            if metric not in row["values"]:
                known = ", ".join(sorted(row["values"]))
                raise ValueError(f"{contender}: row {row['id']!r} has no {metric!r}; it has {known}")
            values[row["id"]] = float(row["values"][metric])
        return values

    def select_rows(self, rows: Collection[str]) -> ScoreTable:
        """Return the table of these rows, without totals."""
        kept = {name: [row for row in scored if row["id"] in rows] for name, scored in self.rows.items()}
        seeds = {name: each.select_rows(rows) for name, each in self.seeds.items()}
        return ScoreTable(kept, self.slices, self.metrics, seeds=seeds)

    def get_seed_values(self, contender: str, metric: str, rows: Iterable[str]) -> list[list[float]]:
        """Return the values of these rows for each seed of a contender: (seeds, rows); [] if it has one."""
        found = self.seeds.get(contender)
        by_seed = [found.get_values(name, metric) for name in found.rows] if found else []
        return [[values[row] for row in rows] for values in by_seed]

    def get_clusters(self, contender: str) -> dict[str, str]:
        """Return row id → cluster of the rows: their group, or else themselves."""
        return {row["id"]: row.get("group") or row["id"] for row in self.rows[contender]}

    def get_resampled(self, contender: str, metric: str) -> Floats | None:
        """Return the total of each resample, the same draws for all contenders; None if the metric is no total."""
        return self.totals[contender].get_resampled() if metric and metric == self.total else None


def estimate_level(
    values: Sequence[float], clusters: Sequence[str], confidence: float, *, binary: bool = False,
    draws: tuple[int, int] = (statistics.RESAMPLES, statistics.SEED), resampled: Floats | None = None,
    by_seed: Sequence[Sequence[float]] = (),
) -> ConfidenceInterval:
    """Return a contender's own mean with an interval of which no side errs more often than (1 − confidence) / 2.

    Right and wrong answers of rows without groups have the exact interval (Clopper & Pearson 1934), all others that of
    `ClusterTest`, widened where the values are skewed, as scores near their limit are. The interval that is shown with
    every mean (`statistics.compute_mean_interval`) errs on one side more often near 0 and 1, which nothing is decided
    by. `resampled` are the values of a total on resamples; of means over seeds, `by_seed` has the values of each seed.
    What is between 0 and 1, or 0 and 100, has such an interval.
    """
    import numpy as np
    from scipy.stats import binomtest

    sample, count = statistics.group_by_cluster(values, clusters), len(values)
    seeds = measure_seeds(by_seed, clusters)
    if binary and resampled is None and len(sample.sums) == count and not any(part.variance for part in seeds):
        exact = binomtest(round(sum(values)), count).proportion_ci(confidence, method="exact")
        low, high = float(exact.low), float(exact.high)
    else:
        means = statistics.bootstrap_means([sample], *draws)[0] if resampled is None else np.sort(resampled)
        test = add_seeds(ClusterTest(sample, means, compute_least_error(sample, compute_span(values))), seeds)
        bounds = zip(test.compute_bounds(confidence), compute_skewed_bounds(test, confidence), strict=True)
        low, high = (outer(pair) for outer, pair in zip((min, max), bounds, strict=True))
        # Contributions to a total may be beyond its limits, which its resamples never are.
        found = values if resampled is None else resampled
        top = next((limit for limit in LIMITS if max(found) <= limit), math.inf)
        if min(found) >= 0 and top < math.inf:
            low, high = max(low, 0.0), min(high, top)
    mean, low, high = map(statistics.round_number, (sample.mean, low, high))
    return ConfidenceInterval(mean, low, high, count)


def compute_skewed_bounds(test: ClusterTest, confidence: float) -> tuple[float, float]:
    """Return the bounds of a mean by Student's t, corrected for skewness (Hall 1992, "On the removal of skewness by
    transformation", JRSS B 54).
    """
    from scipy import special

    skew, root = compute_skew(test.data), len(test.data.sums) ** 0.5
    student = float(special.stdtrit(test.freedom, (1 + confidence) / 2))
    if abs(skew) < MIN_SKEW:
        return test.mean - student * test.standard_error, test.mean + student * test.standard_error
    reaches = [
        root * 3 / skew * (math.cbrt(1 + skew * (t / root - skew / (6 * root**2))) - 1) for t in (student, -student)
    ]
    return test.mean - reaches[0] * test.standard_error, test.mean - reaches[1] * test.standard_error
