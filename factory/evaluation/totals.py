"""Totals as the deciding metric: macro F1, corpus BLEU and other statistics that are no mean over rows.

Whole clusters are resampled, and the total is computed of each resample. What a cluster contributes is measured by
leaving it out (the jackknife, Quenouille 1956); with these contributions as values of rows, whose mean is the total,
a total is tested as a mean is. An eval that gives counts, whose sums determine a total, makes this cheap; else the
total is computed anew for each resample, and there are fewer of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from factory.api import Eval, ScoreJob
from factory.evaluation import statistics

if TYPE_CHECKING:
    from factory.evaluation.statistics import Floats

SLOW_RESAMPLES = 500
"""Resamples of a total without counts."""
SHARED_DIGITS = 9
"""Digits after the point of the totals that the gate reads."""


@dataclass(frozen=True, slots=True)
class TotalScores:
    """A contender's total, its contributions by row id, of which it is the mean, and the total of each resample.

    Resamples have the same clusters for all contenders, so that they are paired.
    """

    total: float
    values: Mapping[str, float]
    resampled: Sequence[float]

    def get_resampled(self) -> Floats:
        """Return the total of each resample as an array."""
        import numpy as np

        return np.array(self.resampled, dtype=np.float64)

    def round_numbers(self) -> TotalScores:
        """Return the same in the digits in which the gate compares totals."""
        values = {row: round(value, SHARED_DIGITS) for row, value in self.values.items()}
        return TotalScores(self.total, values, [round(value, SHARED_DIGITS) for value in self.resampled])


def resample_total(
    plugin: Eval, name: str, job: ScoreJob, clusters: Sequence[str], draws: tuple[int, int]
) -> TotalScores:
    """Return a contender's total with its contributions and resamples. `draws` are the resamples and their seed.

    Raises InputError if all rows are of one cluster.
    """
    import numpy as np

    sizes = statistics.group_by_cluster([1.0] * len(clusters), clusters).sizes
    total = _choose_total(plugin, name, job, clusters)
    whole, without = total.compute_whole(), total.compute_without_each()
    # A mean without a cluster differs from the mean by the cluster's residual over the rows that are left.
    residuals = (whole - without) * (sizes.sum() - sizes)
    residuals -= residuals.sum() / sizes.sum() * sizes
    by_cluster = dict(zip(sorted(set(clusters)), whole + residuals / sizes, strict=True))
    resamples = draws[0] if isinstance(total, _CountedTotal) else min(draws[0], SLOW_RESAMPLES)
    resampled = np.concatenate([
        total.compute_resampled(times)
        for times in statistics.iterate_resamples(len(sizes), resamples, draws[1])
    ])
    values = {row.id: float(by_cluster[cluster]) for row, cluster in zip(job.rows, clusters, strict=True)}
    return TotalScores(whole, values, resampled.tolist())


@dataclass(frozen=True, slots=True)
class _CountedTotal:
    """A total that the sums of counts determine; `counts` has a line per cluster, in the order of their names."""

    plugin: Eval
    name: str
    counts: Floats

    def compute_whole(self) -> float:
        return float(self._compute(self.counts.sum(axis=0)[None, :])[0])

    def compute_without_each(self) -> Floats:
        """Return the total without each cluster: (clusters,)."""
        return self._compute(self.counts.sum(axis=0) - self.counts)

    def compute_resampled(self, times: Floats) -> Floats:
        """Return the total of each resample: (resamples,), from how often each cluster is drawn."""
        import numpy as np

        step = max(1, statistics.BOOTSTRAP_BLOCK // self.counts.shape[1])
        blocks = [self._compute(times[i : i + step] @ self.counts) for i in range(0, len(times), step)]
        return np.concatenate(blocks)

    def _compute(self, sums: Floats) -> Floats:
        import numpy as np

        return np.asarray(self.plugin.compute_total_from_counts(self.name, sums), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class _RecomputedTotal:
    """A total that is computed anew of rows; `members` are the rows of each cluster, in the order of their names."""

    plugin: Eval
    name: str
    job: ScoreJob
    members: Sequence[Sequence[int]]

    def compute_whole(self) -> float:
        return self._compute([1] * len(self.members))

    def compute_without_each(self) -> Floats:
        """Return the total without each cluster: (clusters,)."""
        import numpy as np

        count = len(self.members)
        return np.array([self._compute([int(i != left) for i in range(count)]) for left in range(count)])

    def compute_resampled(self, times: Floats) -> Floats:
        """Return the total of each resample: (resamples,), from how often each cluster is drawn."""
        import numpy as np

        return np.array([self._compute(line) for line in times.astype(int).tolist()])

    def _compute(self, times: Sequence[int]) -> float:
        numbers = [i for count, rows in zip(times, self.members, strict=True) for _ in range(count) for i in rows]
        job = replace(self.job, rows=[self.job.rows[i] for i in numbers])
        return float(self.plugin.compute_totals(job)[self.name])


def _choose_total(
    plugin: Eval, name: str, job: ScoreJob, clusters: Sequence[str]
) -> _CountedTotal | _RecomputedTotal:
    """Return the cheap way where the eval counts, else the slow one."""
    import numpy as np

    members: dict[str, list[int]] = {}
    for number, cluster in enumerate(clusters):
        members.setdefault(cluster, []).append(number)
    order = [members[cluster] for cluster in sorted(members)]
    counts = np.asarray(plugin.list_total_counts(name, job), dtype=np.float64)
    if not counts.size:
        return _RecomputedTotal(plugin, name, job, order)
    if counts.ndim != 2 or len(counts) != len(clusters):
        raise ValueError(f"list_total_counts gave {counts.shape} for {name!r}; expected ({len(clusters)}, counts)")
    return _CountedTotal(plugin, name, np.stack([counts[rows].sum(axis=0) for rows in order]))
