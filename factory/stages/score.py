"""Score the answers of every contender: values per row, and means with confidence intervals."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, cast

from factory.api import TEST, TRAIN, VALIDATION, Answer, Eval, Metric, ScoreJob
from factory.data.rows import read_json, read_jsonl, write_json, write_jsonl
from factory.data.split import list_row_groups
from factory.evaluation.score_table import estimate_level
from factory.evaluation.statistics import DIGITS, compute_mean_interval
from factory.evaluation.totals import resample_total
from factory.plan.seed_names import find_seed, name_seed, strip_seed
from factory.stages.job import StageJob, guard_plugin_call
from factory.stages.seed_answers import read_seed_choice
from factory.stages.seed_scores import ContenderScores, RowMetricValues, average_scores, estimate_seeded_levels
from factory.stages.value_checks import compute_row_scores

CONFIDENCE = 0.95
"""Confidence of the intervals shown with each mean; the gate computes its own, at `gate.confidence`."""


def run(job: StageJob) -> None:
    """Write a file of values per row for each contender, and `score.json`; if a total decides, also its resamples.

    Of a contender with several seeds, each seed has its files, and its own are the means over them.
    """
    scorer = _make_scorer(job)
    contenders: dict[str, Any] = {}
    seeds: dict[str, dict[str, Any]] = {}
    totals: dict[str, dict[str, float]] = {}
    tables: dict[str, dict[str, Any]] = {}
    done, total = 0, sum(role.startswith("answer[") for role in job.inputs)
    for name, answered in groupby(_iterate_contender_answers(job), key=lambda each: strip_seed(each[0])):
        by_seed: dict[int, ContenderScores] = {}
        for full_name, answers, facts in answered:
            scores = scorer.score_answers(answers, facts)
            scorer.write_scores(full_name, scores)
            contenders[name], done = scorer.estimate_levels(scores), done + 1
            if (seed := find_seed(full_name)) is not None:
                by_seed[seed] = scores
                seeds.setdefault(name, {})[str(seed)] = {"levels": contenders[name], "totals": scores.totals}
            job.report.report_progress(done, total, "contenders")
        if by_seed:
            total_metrics = [metric.name for plugin in scorer.evals for metric in plugin.total_metrics]
            scores = average_scores(by_seed, read_seed_choice(job)["bundled"], total_metrics)
            scorer.write_scores(name, scores)
            contenders[name] = estimate_seeded_levels(
                scores, list(by_seed.values()), scorer.metrics, scorer.clusters, CONFIDENCE
            )
        totals[name], tables[name] = scores.totals, scores.tables
    deciding = [scorer.deciding[1]] if scorer.deciding else []
    write_json(job.out / "score.json", {
        "metrics": [asdict(metric) for metric in (*scorer.metrics, *deciding)],
        "contenders": contenders, "confidence": CONFIDENCE, "primary": scorer.evals[0].primary_metric,
        "totals": totals, "tables": tables,
        **({"total": deciding[0].name} if deciding else {}), **({"seeds": seeds} if seeds else {}),
    })


@dataclass(frozen=True, slots=True)
class _AnswerScorer:
    """Scores the answers of contenders to the same rows. `clusters` names the group of each row, or the row itself."""

    job: StageJob
    evals: list[Eval]
    metrics: list[Metric]
    deciding: tuple[Eval, Metric] | None
    """The total that decides, with its eval; None if a metric of rows does."""
    common: dict[str, Any]
    groups: list[str]
    clusters: list[str]

    def score_answers(self, answers: dict[str, Answer], facts: dict[str, Any]) -> ContenderScores:
        """Return the scores of a contender."""
        work = ScoreJob(**self.common, answers=answers, facts=facts)
        values = score_rows_by_metric(work, self.evals)
        totals, tables = _compute_totals_and_tables(work, self.evals)
        if self.deciding is None:
            return ContenderScores(values, totals, tables)
        (plugin, metric), settings = self.deciding, self.job.config["total"]
        with guard_plugin_call(plugin, work.rows):
            draws = (settings["resamples"], settings["seed"])
            deciding = resample_total(plugin, metric.name, work, self.clusters, draws).round_numbers()
        return ContenderScores(values, totals, tables, metric.name, deciding)

    def write_scores(self, contender: str, scores: ContenderScores) -> None:
        """Write the values of each row, and the resamples of the total that decides."""
        rows = zip(self.common["rows"], self.groups, strict=True)
        lines = ({"id": row.id, "group": group, "values": scores.values[row.id]} for row, group in rows)
        write_jsonl(self.job.out / f"{contender}.jsonl", lines)
        if scores.deciding is not None:
            write_json(self.job.out / f"{contender}.total.json", asdict(scores.deciding))

    def estimate_levels(self, scores: ContenderScores) -> dict[str, Any]:
        """Return each metric's mean with its interval."""
        levels = {
            metric.name: asdict(compute_mean_interval(
                scores.list_values(metric.name), self.clusters, CONFIDENCE, binary=metric.binary
            ))
            for metric in self.metrics
        }
        if scores.deciding is not None:
            levels[scores.total] = asdict(estimate_level(
                scores.list_values(scores.total), self.clusters, CONFIDENCE, resampled=scores.deciding.get_resampled()
            ))
        return levels


def _make_scorer(job: StageJob) -> _AnswerScorer:
    rows = job.open_input_rows("freeze", f"{TEST}.jsonl")
    evals = [cast(Eval, job.make_plugin("eval", block)) for block in job.config["evals"]]
    common = {
        **job.build_job_fields(), "rows": rows, "train": job.open_input_rows("curate", f"{TRAIN}.jsonl"),
        "validation": job.open_input_rows("freeze", f"{VALIDATION}.jsonl"),
        **({"task": job.load_task()} if "task" in job.config else {}),
        **({"opponent": _read_opponent(job)} if "tuned" in job.config else {}),
    }
    groups = list_row_groups(rows, job.config["text"])
    clusters = [group or row.id for group, row in zip(groups, rows, strict=True)]
    if copies := sum(bool(group) and not row.group for group, row in zip(groups, rows, strict=True)):
        job.report.note(f"{copies} test rows share their text with others: for the statistics, each text is one group")
    metrics = [metric for plugin in evals for metric in plugin.metrics]
    return _AnswerScorer(job, evals, metrics, _find_deciding_total(job, evals), common, groups, clusters)


def _find_deciding_total(job: StageJob, evals: list[Eval]) -> tuple[Eval, Metric] | None:
    """Return the total that decides, with its eval; None if a metric of rows does."""
    name = job.config.get("total", {}).get("metric")
    return next(((plugin, m) for plugin in evals for m in plugin.total_metrics if m.name == name), None)


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
            facts = read_json(folder / "answer.json").get("facts") or {}
            yield role.removeprefix("answer[").removesuffix("]"), _read_answers(folder), facts


def _read_answers(folder: Path) -> dict[str, Answer]:
    """Return the answers of a contender by row id."""
    return {
        line["id"]: Answer(line["id"], line["output"], line.get("incomplete", False), line.get("details") or {})
        for line in read_jsonl(folder / "answers.jsonl")
    }


def _read_opponent(job: StageJob) -> dict[str, Answer]:
    """Return tuned's answers; of several seeds those of the one that is bundled."""
    tuned = job.config["tuned"]
    role = f"answer[{tuned}]"
    if role not in job.inputs:
        role = f"answer[{name_seed(tuned, read_seed_choice(job)['bundled'])}]"
    return _read_answers(job.inputs[role])


def score_rows_by_metric(work: ScoreJob, evals: list[Eval]) -> RowMetricValues:
    """Return the values of all evals: row id → metric → value."""
    values: RowMetricValues = {row.id: {} for row in work.rows}
    for plugin in evals:
        for row, scores in compute_row_scores(plugin, work).items():
            values[row].update(scores)
    return values
