"""Score the answers of every contender: values per row, and means with confidence intervals."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, cast

from factory.api import TEST, TRAIN, VALIDATION, Answer, Eval, Metric, ScoreJob
from factory.data.rows import read_json, read_jsonl, write_json, write_jsonl
from factory.data.split import list_row_groups
from factory.evaluation.score_table import estimate_level
from factory.evaluation.statistics import DIGITS, compute_mean_interval
from factory.evaluation.totals import TotalScores, resample_total
from factory.stages.job import StageJob, guard_plugin_call
from factory.stages.value_checks import compute_row_scores

CONFIDENCE = 0.95
"""Confidence of the intervals shown with each mean; the gate computes its own, at `gate.confidence`."""

if TYPE_CHECKING:
    from factory.evaluation.statistics import ConfidenceInterval

RowMetricValues = dict[str, dict[str, float]]


def run(job: StageJob) -> None:
    """Write a file of values per row for each contender, and `score.json`; if a total decides, also its resamples."""
    rows = job.open_input_rows("freeze", f"{TEST}.jsonl")
    evals = [cast(Eval, job.make_plugin("eval", block)) for block in job.config["evals"]]
    metrics, deciding = [metric for plugin in evals for metric in plugin.metrics], _find_deciding_total(job, evals)
    contenders: dict[str, Any] = {}
    totals: dict[str, dict[str, float]] = {}
    tables: dict[str, dict[str, Any]] = {}
    common = {
        **job.build_job_fields(), "rows": rows, "train": job.open_input_rows("curate", f"{TRAIN}.jsonl"),
        "validation": job.open_input_rows("freeze", f"{VALIDATION}.jsonl"),
    }
    groups = list_row_groups(rows, job.config["text"])
    clusters = [group or row.id for group, row in zip(groups, rows, strict=True)]
    if copies := sum(bool(group) and not row.group for group, row in zip(groups, rows, strict=True)):
        job.report.note(f"{copies} test rows share their text with others: for the statistics, each text is one group")
    total = sum(role.startswith("answer[") for role in job.inputs)
    for name, answers, facts in _iterate_contender_answers(job):
        work = ScoreJob(**common, answers=answers, facts=facts)
        values = score_rows_by_metric(work, evals)
        totals[name], tables[name] = _compute_totals_and_tables(work, evals)
        lines = (
            {"id": row.id, "group": group, "values": values[row.id]} for row, group in zip(rows, groups, strict=True)
        )
        write_jsonl(job.out / f"{name}.jsonl", lines)
        contenders[name] = {
            metric.name: asdict(compute_mean_interval(
                [values[row.id][metric.name] for row in rows], clusters, CONFIDENCE, binary=metric.binary
            ))
            for metric in metrics
        }
        if deciding is not None:
            contenders[name][deciding[1].name] = asdict(_write_total(job, name, *deciding, work, clusters))
        job.report.report_progress(len(contenders), total, "contenders")
    write_json(job.out / "score.json", {
        "metrics": [asdict(metric) for metric in (*metrics, *([deciding[1]] if deciding else []))],
        "contenders": contenders, "confidence": CONFIDENCE,
        "primary": evals[0].primary_metric, "totals": totals, "tables": tables,
        **({"total": deciding[1].name} if deciding else {}),
    })


def _find_deciding_total(job: StageJob, evals: list[Eval]) -> tuple[Eval, Metric] | None:
    """Return the total that decides, with its eval; None if a metric of rows does."""
    name = job.config.get("total", {}).get("metric")
    return next(((plugin, m) for plugin in evals for m in plugin.total_metrics if m.name == name), None)


def _write_total(
    job: StageJob, contender: str, plugin: Eval, metric: Metric, work: ScoreJob, clusters: list[str]
) -> ConfidenceInterval:
    """Write the resamples of a contender's total, and return it with its interval."""
    total = job.config["total"]
    with guard_plugin_call(plugin, work.rows):
        scores = resample_total(plugin, metric.name, work, clusters, (total["resamples"], total["seed"]))
    written = scores.to_json()
    write_json(job.out / f"{contender}.total.json", written)
    values, resampled = [scores.values[row.id] for row in work.rows], TotalScores(**written).get_resampled()
    return estimate_level(values, clusters, CONFIDENCE, resampled=resampled)


def _compute_totals_and_tables(work: ScoreJob, evals: list[Eval]) -> tuple[dict[str, float], dict[str, Any]]:
    """Return the totals (rounded) and tables of all evals, which describe all rows together."""
    totals: dict[str, float] = {}
    tables: dict[str, Any] = {}
    for plugin in evals:
        with guard_plugin_call(plugin, work.rows):
            totals |= {name: round(float(value), DIGITS) for name, value in plugin.compute_totals(work).items()}
            tables |= {name: [dict(line) for line in lines] for name, lines in plugin.build_tables(work).items()}
    return totals, tables


def _iterate_contender_answers(job: StageJob) -> Iterator[tuple[str, dict[str, Answer], dict[str, Any]]]:
    """Yield each contender, its answers by row id, and the facts that it recorded beside them."""
    for role, folder in job.inputs.items():
        if role.startswith("answer["):
            lines = read_jsonl(folder / "answers.jsonl")
            answers = {line["id"]: Answer(line["id"], line["output"], line.get("incomplete", False)) for line in lines}
            facts = read_json(folder / "answer.json").get("facts") or {}
            yield role.removeprefix("answer[").removesuffix("]"), answers, facts


def score_rows_by_metric(work: ScoreJob, evals: list[Eval]) -> RowMetricValues:
    """Return the values of all evals: row id → metric → value."""
    values: RowMetricValues = {row.id: {} for row in work.rows}
    for plugin in evals:
        for row, scores in compute_row_scores(plugin, work).items():
            values[row].update(scores)
    return values
