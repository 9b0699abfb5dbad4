"""One contender answers the frozen test rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from factory.api import TEST, TRAIN, VALIDATION, Answer, AnswerJob, Contender, Eval, ValidationScorer, Row, ScoreJob, Scores
from factory.api.jobs import raise_no_validation_scorer
from factory.data.rows import write_json, write_jsonl
from factory.errors import PluginError
from factory.stages.job import StageJob, boundary, each


def run(job: StageJob) -> None:
    """Write `answers.jsonl`, one line a test row in their order, and `answer.json`."""
    contender = cast(Contender, job.make("contender", job.config["contender"]))
    rows = job.rows("freeze", f"{TEST}.jsonl")
    adapter = job.inputs["train"] / "adapter" if contender.uses_adapter else None
    train, validation = job.rows("curate", f"{TRAIN}.jsonl"), job.rows("freeze", f"{VALIDATION}.jsonl")
    work = AnswerJob(
        **job.common(), rows=rows, train=train, validation=validation, base=job.base(), task=job.task(),
        objective=job.objective(), adapter=adapter, validation_scorer=judge_of(job, train) if contender.uses_validation_score else raise_no_validation_scorer,
    )
    with boundary(contender, rows, train, validation, work.tables):
        answers = list(each(contender, "answer", contender.answer(work), Answer))
    by_id = {answer.id: answer for answer in answers}
    missing = [row.id for row in rows if row.id not in by_id]
    if missing or len(answers) != len(rows):
        raise PluginError(
            f"contender {contender.kind!r}: {len(answers)} answers to {len(rows)} rows"
            + (f"; none to {missing[0]!r}" if missing else "")
        )
    write_jsonl(job.out / "answers.jsonl", ({"id": row.id, "output": by_id[row.id].output} for row in rows))
    write_json(job.out / "answer.json", {"contender": contender.kind, "rows": len(rows), "facts": work.facts})


def judge_of(job: StageJob, train: Sequence[Row]) -> ValidationScorer:
    """What answers to validation rows are worth: the mean of the metric that the gate reads."""
    judge = cast(Eval, job.make("eval", job.config["judge"]))
    name = job.config["metric"] or judge.primary_metric
    metric = next(metric for metric in judge.metrics if metric.name == name)
    common = job.common()

    def worth(rows: Sequence[Row], answers: Sequence[Answer]) -> float:
        said = {answer.id: answer for answer in answers}
        with boundary(judge, rows):
            work = ScoreJob(**common, rows=rows, answers=said, train=train)
            scores = list(each(judge, "score", judge.score(work), Scores))
        mean = sum(each.values[metric.name] for each in scores) / len(scores)
        return mean if metric.higher_is_better else -mean

    return worth
