"""Checks of what contenders and evals yield: one answer and one set of finite scores to each row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import isfinite
from typing import Any

from factory.api import Answer, Contender, Eval, Row, ScoreJob, Scores, find_distribution_problem
from factory.api.label_sets import LABEL_SETS, find_label_set_problem
from factory.errors import PluginError
from factory.stages.plugin_boundary import guard_plugin_call, iterate_checked_values


def order_answers(
    contender: Contender, answers: Sequence[Answer], rows: Sequence[Row], output_type: str
) -> list[Answer]:
    """Return one answer to each row, in their order.

    Raises PluginError if a row has no answer or two, or if an answer holds numbers that are not finite or are no
    distribution over labels.
    """
    name = f"contender {contender.kind!r}"
    by_id = _index_by_id(name, "answers", answers, rows)
    missing = next((f"; none to row {row.id!r}" for row in rows if row.id not in by_id), "")
    if missing:
        raise PluginError(f"{name}: {len(answers)} answers to {len(rows)} rows{missing}")
    for answer in answers:
        if problem := _find_output_problem(answer.output, output_type):
            raise PluginError(f"{name}: the answer to row {answer.id!r}: {problem}")
        wrong = next((key for key, value in answer.details.items() if not _is_finite_number(value)), None)
        if wrong is not None:
            raise PluginError(f"{name}: the answer to row {answer.id!r}: {wrong} is no finite number")
    return [by_id[row.id] for row in rows]


def compute_row_scores(plugin: Eval, work: ScoreJob) -> dict[str, Mapping[str, float]]:
    """Let an eval score all rows; return row id → metric → value.

    Raises PluginError if a row is scored twice or without one of the metrics, or if a value is not a finite number.
    """
    name = f"eval {plugin.kind!r}"
    with guard_plugin_call(plugin, work.rows):
        scores = list(iterate_checked_values(plugin, "score", plugin.score(work), Scores))
    by_id = _index_by_id(name, "scores", scores, work.rows)
    metrics = {metric.name for metric in plugin.metrics}
    for row in work.rows:
        values: Mapping[str, float] = by_id[row.id].values if row.id in by_id else {}
        if missing := ", ".join(sorted(metrics - values.keys())):
            raise PluginError(f"{name}: row {row.id!r} has no value for {missing}")
        wrong = next((metric for metric, value in values.items() if not _is_finite_number(value)), None)
        if wrong is not None:
            raise PluginError(f"{name}: row {row.id!r}: {wrong} is {values[wrong]!r}, not a finite number")
    return {row: each.values for row, each in by_id.items()}


def _index_by_id(name: str, what: str, values: Iterable[Any], rows: Sequence[Row]) -> dict[str, Any]:
    """Return the values by row id. Raises PluginError for a row that has two, and for an id that no row has."""
    by_id: dict[str, Any] = {}
    known = {row.id for row in rows}
    for value in values:
        if value.id not in known:
            raise PluginError(f"{name}: {what} to {value.id!r}, which is not a row")
        if value.id in by_id:
            raise PluginError(f"{name}: two {what} to row {value.id!r}")
        by_id[value.id] = value
    return by_id


def _find_output_problem(output: Any, output_type: str) -> str:
    """Return why an answer can not be scored; empty if it can."""
    if output_type == "labels":
        return find_distribution_problem(output)
    if output_type == LABEL_SETS:
        return find_label_set_problem(output)
    values = output if isinstance(output, list | tuple) else [output]
    wrong = next((value for value in values if isinstance(value, float) and not isfinite(value)), None)
    return "" if wrong is None else f"{wrong!r} is not a finite number"


def _is_finite_number(value: object) -> bool:
    try:
        return isfinite(value)  # type: ignore[arg-type]  # what a plugin yields may be anything
    except (TypeError, OverflowError):
        return False
