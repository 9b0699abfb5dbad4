"""The scores of a contender, and their means over the seeds that it was trained with."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from factory.api import Metric
from factory.evaluation.score_table import estimate_level
from factory.evaluation.seed_tests import average_seeds
from factory.evaluation.statistics import DIGITS
from factory.evaluation.totals import TotalScores

RowMetricValues = dict[str, dict[str, float]]


@dataclass(frozen=True, slots=True)
class ContenderScores:
    """What a contender scored: row id → metric → value in the order of the rows, totals, and tables of all rows.

    `deciding` has the total of the name `total`, if one decides.
    """

    values: RowMetricValues
    totals: dict[str, float]
    tables: dict[str, Any]
    total: str = ""
    deciding: TotalScores | None = None

    def list_values(self, metric: str) -> list[float]:
        """Return the value of each row; of the total that decides, what it contributes."""
        if self.deciding is not None and metric == self.total:
            return [self.deciding.values[row] for row in self.values]
        return [values[metric] for values in self.values.values()]


def average_scores(
    by_seed: Mapping[int, ContenderScores], bundled: int, total_metrics: Collection[str]
) -> ContenderScores:
    """Return the means over seeds of values, and of totals that are metrics.

    Tables can not be averaged, and other totals, such as calibration and thresholds, are facts of one model: they are
    those of the bundled seed.
    """
    first, every = by_seed[bundled], list(by_seed.values())
    metrics = list(next(iter(first.values.values())))
    columns = {metric: average_seeds([scores.list_values(metric) for scores in every]) for metric in metrics}
    values = {row: {metric: columns[metric][i] for metric in metrics} for i, row in enumerate(first.values)}
    means = {
        name: round(sum(scores.totals[name] for scores in every) / len(every), DIGITS) for name in total_metrics
    }
    found = [scores.deciding for scores in every if scores.deciding is not None]
    deciding = TotalScores(
        sum(each.total for each in found) / len(found),
        dict(zip(first.values, average_seeds([scores.list_values(first.total) for scores in every]), strict=True)),
        average_seeds([each.resampled for each in found]),
    ) if found else None
    return ContenderScores(values, {**first.totals, **means}, first.tables, first.total, deciding)


def estimate_seeded_levels(
    mean: ContenderScores, every: Sequence[ContenderScores], metrics: Sequence[Metric], clusters: Sequence[str],
    confidence: float,
) -> dict[str, Any]:
    """Return each metric's mean over rows and seeds, with an interval of both."""
    binary = {metric.name: metric.binary for metric in metrics} | ({mean.total: False} if mean.total else {})
    return {
        name: asdict(estimate_level(
            mean.list_values(name), clusters, confidence, binary=is_binary,
            resampled=mean.deciding.get_resampled() if mean.deciding and name == mean.total else None,
            by_seed=[scores.list_values(name) for scores in every],
        ))
        for name, is_binary in binary.items()
    }
