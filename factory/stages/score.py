"""Turn every contender's answers into per-row scores, and those into means with intervals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any, cast

from factory.api import TEST, Answer, Eval, Row, ScoreJob
from factory.data.rows import read_jsonl, write_json, write_jsonl
from factory.data.stats import mean_interval
from factory.errors import PluginError
from factory.stages.job import StageJob, boundary

CONFIDENCE = 0.95
"""Of the intervals shown beside each mean; the gate draws its own, at its own confidence."""

Values = dict[str, dict[str, float]]


def run(job: StageJob) -> None:
    """Write a file of per-row values for each contender, and `score.json`."""
    rows = job.rows("freeze", f"{TEST}.jsonl")
    evals = [cast(Eval, job.make("eval", block)) for block in job.config["evals"]]
    metrics = [metric for plugin in evals for metric in plugin.metrics]
    contenders: dict[str, Any] = {}
    for name, answers in _answers(job):
        values = _values(job, evals, rows, answers)
        write_jsonl(
            job.out / f"{name}.jsonl", ({"id": row.id, "group": row.group, "values": values[row.id]} for row in rows)
        )
        groups = [row.group or row.id for row in rows]
        contenders[name] = {
            metric.name: asdict(mean_interval(
                [values[row.id][metric.name] for row in rows], groups, CONFIDENCE, binary=metric.binary
            ))
            for metric in metrics
        }
        job.report.progress(len(contenders), len(job.inputs) - 2, "contenders")
    write_json(job.out / "score.json", {
        "metrics": [asdict(metric) for metric in metrics], "contenders": contenders, "confidence": CONFIDENCE,
        "primary": evals[0].primary,
    })


def _answers(job: StageJob) -> Iterator[tuple[str, dict[str, Answer]]]:
    for role, folder in job.inputs.items():
        if role.startswith("answer["):
            lines = read_jsonl(folder / "answers.jsonl")
            yield role[len("answer["):-1], {line["id"]: Answer(line["id"], line["output"]) for line in lines}


def _values(job: StageJob, evals: list[Eval], rows: list[Row], answers: Mapping[str, Answer]) -> Values:
    """Row id → metric → value, of all evals together."""
    values: Values = {row.id: {} for row in rows}
    for plugin in evals:
        with boundary(plugin):
            for scores in plugin.score(ScoreJob(**job.common(), rows=rows, answers=answers)):
                values[scores.id].update(scores.values)
        wanted = {metric.name for metric in plugin.metrics}
        short = next((row.id for row in rows if not wanted <= values[row.id].keys()), None)
        if short is not None:
            raise PluginError(f"eval {plugin.kind!r}: gave row {short!r} no value for every metric it names")
    return values
