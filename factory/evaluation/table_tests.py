"""Tests of what tuned gains over other contenders of a score table, by a metric of rows or a total."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from factory.api.rows import Metric
from factory.evaluation import paired_tests, statistics
from factory.evaluation.paired_tests import TestedDifference
from factory.evaluation.score_table import ScoreTable
from factory.evaluation.seed_tests import measure_seeds

if TYPE_CHECKING:
    from factory.spec.fields import Gate

TUNED = "tuned"


@dataclass(frozen=True, slots=True)
class TestedGain:
    """What tuned gains over a contender, by row and tested; `span` is the largest difference that a row may have."""

    contender: str
    result: TestedDifference
    differences: Mapping[str, float]
    span: float


def run_gain_tests(
    table: ScoreTable, metric: Metric, gate: Gate, names: Sequence[str], margin: float, own: str = TUNED
) -> list[TestedGain]:
    """Test what tuned, or the contender `own`, gains over each of `names` against the margin, on the same resamples.

    Raises ValueError if they did not score the same rows, and InputError if all rows are of one group.
    """
    sign = 1 if metric.higher_is_better else -1
    values, clusters = table.get_values(own, metric.name), table.get_clusters(own)
    others = [table.get_values(name, metric.name) for name in names]
    differences = [paired_tests.subtract_scores(values, scores, sign) for scores in others]
    span = paired_tests.compute_span(list(values.values()), *(list(scores.values()) for scores in others))
    numbers, groups = [list(each.values()) for each in differences], [clusters[row] for row in values]
    seeds = measure_seeds(table.get_seed_values(own, metric.name, values), groups)
    if table.total:
        resampled = [_subtract_resampled(table, own, name, sign) for name in names]
        results = paired_tests.run_total_tests(
            numbers, groups, gate.confidence, margin, span=span, resampled=resampled, seeds=seeds
        )
    else:
        results = paired_tests.run_paired_tests(
            numbers, groups, gate.confidence, margin, binary=metric.binary, span=span,
            draws=(gate.resamples, gate.seed), seeds=seeds,
        )
    return [TestedGain(*found, span) for found in zip(names, results, differences, strict=True)]


def _subtract_resampled(table: ScoreTable, own: str, contender: str, sign: int) -> statistics.Floats:
    """Return what one contender gains over another in the total of each resample, sorted."""
    import numpy as np

    one, other = (table.totals[name].get_resampled() for name in (own, contender))
    return np.sort(sign * (one - other))
