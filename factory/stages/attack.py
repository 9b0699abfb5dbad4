"""Attack the deciding metric with degenerate answers, on rows that are not test rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, cast

from factory import identity
from factory.api import TRAIN, VALIDATION, Answer, Eval, Metric, Row, ScoreJob, Task, normalise
from factory.data.rows import write_json
from factory.errors import InputError, PluginError
from factory.evaluation.attacks import Attack, AttackReport, AttackResult, Outputs, build_attacks, has_content
from factory.evaluation.statistics import DIGITS
from factory.stages.job import StageJob, guard_plugin_call
from factory.stages.memoising_kit import MemoisingKit
from factory.stages.score import score_rows_by_metric
from factory.stages.seed_scores import RowMetricValues

ATTACKED_ROWS = 200
"""Rows that are answered: validation rows, and where these are few a third of the training rows at most."""
TRAINING_SHARE = 3

Scorer = Callable[[Outputs], RowMetricValues]


def run(job: StageJob) -> None:
    """Write `attack.json`: the means of all metrics for the right answers and for every attack."""
    task = job.load_task()
    evals = [cast(Eval, job.make_plugin("eval", block)) for block in job.config["evals"]]
    name = job.config["metric"] or evals[0].primary_metric
    metric = next(metric for plugin in evals for metric in plugin.metrics if metric.name == name)
    rows, right, train = _select_attacked_rows(job, task)
    with guard_plugin_call(task, rows, train):
        attacks = build_attacks(task, rows, right, train)
    # Attacks repeat texts, and evals embed the same columns each time.
    fields = {**job.build_job_fields(), "kit_loader": cache(lambda: MemoisingKit(job.load_kit()))}

    def score_outputs(outputs: Outputs) -> RowMetricValues:
        answers = {row.id: Answer(row.id, output) for row, output in zip(rows, outputs, strict=True)}
        return score_rows_by_metric(ScoreJob(**fields, rows=rows, train=train, answers=answers, task=task), evals)

    right_values = score_outputs(right)
    results = []
    for done, attack in enumerate(attacks, 1):
        results.append(score_attack(attack, score_outputs, metric, right, right_values))
        job.report.report_progress(done, len(attacks), "attacks")
    means = _compute_metric_means(right_values)
    report = AttackReport(metric.name, metric.higher_is_better, len(rows), means, tuple(results))
    write_json(job.out / "attack.json", report.to_json())


def _select_attacked_rows(job: StageJob, task: Task) -> tuple[list[Row], Outputs, list[Row]]:
    """Return the rows to answer with their right outputs, and the other training rows. Test rows are not read.

    Raises InputError if there are fewer than two rows.
    """

    def sort_by_hash(part: str) -> list[Row]:
        rows = job.open_input_rows("freeze", f"{part}.jsonl")
        return sorted(rows, key=lambda row: identity.compute_key(["attack", job.seed, row.id]))

    validation, train = sort_by_hash(VALIDATION)[:ATTACKED_ROWS], sort_by_hash(TRAIN)
    borrowed = min(ATTACKED_ROWS - len(validation), len(train) // TRAINING_SHARE)
    with guard_plugin_call(task, validation, train):
        answered = [(row, task.build_expected_output(row)) for row in [*validation, *train[:borrowed]]]
    answered = [(row, output) for row, output in answered if has_content(output)]
    if len(answered) < 2:
        raise InputError(f"{len(answered)} validation and training rows with an answer are too few to attack a metric")
    return [row for row, _ in answered], tuple(output for _, output in answered), train[borrowed:]


def score_attack(
    attack: Attack, score_outputs: Scorer, metric: Metric, right: Outputs, right_values: RowMetricValues
) -> AttackResult:
    """Score all variants of an attack, and return the result of the one that the metric likes best."""
    sign, best = 1 if metric.higher_is_better else -1, None
    for outputs in attack.variants:
        try:
            values = score_outputs(outputs)
        except PluginError as error:  # an eval may refuse what no contender would answer
            return AttackResult(attack.name, attack.what, {}, refused=str(error))
        means = _compute_metric_means(values)
        if best is None or sign * means[metric.name] > sign * best.means[metric.name]:
            won = _count_won_rows(metric, outputs, values, right, right_values)
            best = AttackResult(attack.name, attack.what, means, won)
    assert best is not None  # an attack has a variant
    return best


def _count_won_rows(
    metric: Metric, outputs: Outputs, values: RowMetricValues, right: Outputs, right_values: RowMetricValues
) -> int:
    """Count the rows on which another text than the right one is as right; 0 unless the metric is binary."""
    if not metric.binary:
        return 0
    scored = zip(outputs, right, values.values(), right_values.values(), strict=True)
    return sum(_is_other_text(one, other) and mine[metric.name] == best[metric.name] == 1
               for one, other, mine, best in scored)


def _is_other_text(one: Any, other: Any) -> bool:
    return isinstance(one, str) and isinstance(other, str) and normalise(one) != normalise(other)


def _compute_metric_means(values: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    rows: Sequence[Mapping[str, float]] = list(values.values())
    return {name: round(sum(row[name] for row in rows) / len(rows), DIGITS) for name in rows[0]}
