"""What several seeds say about a recipe: each seed's level, their spread, and which one is bundled and why."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from factory.api.rows import Metric
from factory.evaluation import paired_tests
from factory.evaluation.score_table import ScoreTable
from factory.evaluation.statistics import round_number
from factory.evaluation.table_tests import TUNED

FEW_SEEDS = 3
"""Two seeds are close to each other by chance too often: Student's t then has one degree of freedom."""


def summarise_seeds(
    table: ScoreTable, metric: Metric, chosen: Mapping[str, Any], confidence: float
) -> dict[str, Any]:
    """Return the part of gate.json about seeds. `chosen` is what training says of them (`train.json`).

    `deviation` is the standard deviation of the seeds' levels on the test rows.
    """
    names = list(table.seeds[TUNED].rows)
    values = list(table.get_values(TUNED, metric.name))
    by_seed = table.get_seed_values(TUNED, metric.name, values)
    levels = [math.fsum(scores) / len(scores) for scores in by_seed]
    mean = math.fsum(levels) / len(levels)
    deviation = math.sqrt(math.fsum((level - mean) ** 2 for level in levels) / (len(levels) - 1))
    summary = {
        **chosen, "levels": {name: round_number(level) for name, level in zip(names, levels, strict=True)},
        "mean": round_number(mean), "min": round_number(min(levels)), "max": round_number(max(levels)),
        "deviation": round_number(deviation),
    }
    findings = [_describe_spread(summary, metric.name), _describe_choice(summary)]
    own = names.index(str(chosen["bundled"]))
    findings += _describe_shortfall(table, metric, by_seed[own], confidence)
    if len(names) < FEW_SEEDS:
        findings.append("two seeds say little about their spread: the interval may be several times that of three")
    return {**summary, "findings": findings}


def _describe_spread(summary: Mapping[str, Any], metric: str) -> str:
    levels = ", ".join(f"seed {name} {level:.3f}" for name, level in summary["levels"].items())
    return (
        f"tuned is the mean of {len(summary['levels'])} seeds: {metric} {summary['mean']:.3f}, from "
        f"{summary['min']:.3f} to {summary['max']:.3f}, standard deviation {summary['deviation']:.3f} ({levels}); the "
        "verdict is over seeds and rows together"
    )


def _describe_choice(summary: Mapping[str, Any]) -> str:
    bundled, scores = summary["bundled"], summary["validation"]
    if not scores:
        return f"the bundle has seed {bundled}, the first one, as no validation rows are left to choose by"
    shown = ", ".join(f"seed {name} {scores[name]:.3f}" for name in summary["levels"])
    best = scores[str(bundled)]
    tied = " (the first of equal ones)" if list(scores.values()).count(best) > 1 else ""
    return (
        f"the bundle has seed {bundled}, which is best on validation rows{tied}: {summary['metric']} {shown}; "
        "calibration, thresholds and tables are its own"
    )


def _describe_shortfall(
    table: ScoreTable, metric: Metric, own: Sequence[float], confidence: float
) -> list[str]:
    """Return that the bundled seed is below the mean over seeds on the test rows, if its interval says so."""
    values, clusters = table.get_values(TUNED, metric.name), table.get_clusters(TUNED)
    mean = dict(values)
    bundled = dict(zip(values, own, strict=True))
    differences = paired_tests.subtract_scores(bundled, mean, 1 if metric.higher_is_better else -1)
    (result,) = paired_tests.run_paired_tests(
        [list(differences.values())], [clusters[row] for row in values], confidence,
        span=paired_tests.compute_span(list(mean.values()), own),
    )
    interval = result.interval
    if interval.high >= 0:
        return []
    return [
        f"the bundled seed itself is worse than the mean over seeds by {-interval.mean:.3f} {metric.name} on the test "
        f"rows ({100 * confidence:g} % interval {interval.low:.3f} to {interval.high:.3f}): what is served is below "
        "what the verdict is about"
    ]
