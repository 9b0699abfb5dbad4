"""Turn every contender's answers into per-row scores, and those into means with intervals."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, cast

from factory.api import TEST, TRAIN, VALIDATION, Answer, Eval, ScoreJob, Scores
from factory.data.rows import read_jsonl, write_json, write_jsonl
from factory.errors import PluginError
from factory.evaluation.statistics import DIGITS, compute_mean_interval
from factory.stages.job import StageJob, guard_plugin_call, iterate_checked_values

CONFIDENCE = 0.95
"""Of the intervals shown beside each mean; the gate draws its own, at its own confidence."""

RowMetricValues = dict[str, dict[str, float]]


def run(job: StageJob) -> None:
    """Write a file of per-row values for each contender, and `score.json`."""
    rows = job.open_input_rows("freeze", f"{TEST}.jsonl")
    evals = [cast(Eval, job.make_plugin("eval", block)) for block in job.config["evals"]]
    metrics = [metric for plugin in evals for metric in plugin.metrics]
    contenders: dict[str, Any] = {}
    totals: dict[str, dict[str, float]] = {}
    tables: dict[str, dict[str, Any]] = {}
    beside = {**job.build_job_fields(), "rows": rows, "train": job.open_input_rows("curate", f"{TRAIN}.jsonl"),
              "validation": job.open_input_rows("freeze", f"{VALIDATION}.jsonl")}
    for name, answers in _iterate_contender_answers(job):
        work = ScoreJob(**beside, answers=answers)
        values = _score_rows_by_metric(work, evals)
        totals[name], tables[name] = _compute_totals_and_tables(work, evals)
        write_jsonl(
            job.out / f"{name}.jsonl", ({"id": row.id, "group": row.group, "values": values[row.id]} for row in rows)
        )
        groups = [row.group or row.id for row in rows]
        contenders[name] = {
            metric.name: asdict(compute_mean_interval(
                [values[row.id][metric.name] for row in rows], groups, CONFIDENCE, binary=metric.binary
            ))
            for metric in metrics
        }
        job.report.report_progress(
            len(contenders), sum(role.startswith("answer[") for role in job.inputs), "contenders"
        )
    write_json(job.out / "score.json", {
        "metrics": [asdict(metric) for metric in metrics], "contenders": contenders, "confidence": CONFIDENCE,
        "primary": evals[0].primary_metric, "totals": totals, "tables": tables,
    })


def _compute_totals_and_tables(work: ScoreJob, evals: list[Eval]) -> tuple[dict[str, float], dict[str, Any]]:
    """The numbers and tables of all evals that are about all rows together, rounded to what they can mean."""
    totals: dict[str, float] = {}
    tables: dict[str, Any] = {}
    for plugin in evals:
        with guard_plugin_call(plugin, work.rows):
            totals |= {name: round(float(value), DIGITS) for name, value in plugin.compute_totals(work).items()}
            tables |= {name: [dict(line) for line in lines] for name, lines in plugin.build_tables(work).items()}
    return totals, tables


def _iterate_contender_answers(job: StageJob) -> Iterator[tuple[str, dict[str, Answer]]]:
    for role, folder in job.inputs.items():
        if role.startswith("answer["):
            lines = read_jsonl(folder / "answers.jsonl")
            yield role[len("answer["):-1], {line["id"]: Answer(line["id"], line["output"]) for line in lines}


def _score_rows_by_metric(work: ScoreJob, evals: list[Eval]) -> RowMetricValues:
    """Row id → metric → value, of all evals together."""
    values: RowMetricValues = {row.id: {} for row in work.rows}
    for plugin in evals:
        with guard_plugin_call(plugin, work.rows):
            for scores in iterate_checked_values(plugin, "score", plugin.score(work), Scores):
                values[scores.id].update(scores.values)
        wanted = {metric.name for metric in plugin.metrics}
        short = next((row.id for row in work.rows if not wanted <= values[row.id].keys()), None)
        if short is not None:
            raise PluginError(f"eval {plugin.kind!r}: gave row {short!r} no value for every metric it names")
    return values
