"""Let one contender answer the held-out test rows (frozen)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, cast

from factory.api import TEST, TRAIN, VALIDATION, Answer, AnswerJob, Artifact, Contender, Row, ScoreJob
from factory.api.jobs import ValidationScorer, raise_no_validation_scorer
from factory.data.rows import write_json, write_jsonl
from factory.stages.incumbent import build_incumbent_job, write_incumbent_facts
from factory.stages.job import StageJob, guard_plugin_call, iterate_checked_values
from factory.stages.seed_answers import copy_chosen_answers
from factory.stages.value_checks import compute_row_scores, order_answers


def run(job: StageJob) -> None:
    """Write `answers.jsonl`, one line per test row in their order, and `answer.json`."""
    if "seeds" in job.config:
        copy_chosen_answers(job)
        return
    contender = cast(Contender, job.make_plugin("contender", job.config["contender"]))
    rows = job.open_input_rows("freeze", f"{TEST}.jsonl")
    artifact = job.load_artifact() if contender.uses_artifact else None
    validation = job.open_input_rows("freeze", f"{VALIDATION}.jsonl")
    start = time.perf_counter()
    if "incumbent" in job.config:
        answers, facts = collect_answers(contender, build_incumbent_job(job, rows))
        write_incumbent_facts(job, rows)
    else:
        answers, facts = answer_by_contender(job, contender, rows, validation, artifact)
    # A time differs between builds, so that it is in an output only where the gate asks for it.
    timed = {"seconds": round(time.perf_counter() - start, 3)} if job.config.get("timed") else {}
    write_jsonl(job.out / "answers.jsonl", (
        {
            "id": answer.id, "output": answer.output, **({"incomplete": True} if answer.incomplete else {}),
            **({"details": dict(answer.details)} if answer.details else {}),
        }
        for answer in answers
    ))
    incomplete = sum(answer.incomplete for answer in answers)
    if incomplete:
        job.report.note(f"{incomplete} of {len(rows)} answers are incomplete: they ran into the token limit")
    write_json(job.out / "answer.json", {
        "contender": contender.kind, "rows": len(rows), "incomplete": incomplete, "facts": facts, **timed,
    })


def answer_by_contender(
    job: StageJob, contender: Contender, rows: Sequence[Row], validation: Sequence[Row],
    artifact: Artifact | None = None,
) -> tuple[list[Answer], dict[str, Any]]:
    """Return a contender's answers, in the order of the rows, and its facts; errors are those of `collect_answers`."""
    train = job.open_input_rows("curate", f"{TRAIN}.jsonl")
    scorer = build_validation_scorer(job, train) if contender.uses_validation_score else raise_no_validation_scorer
    work = AnswerJob(
        **job.build_job_fields(), rows=rows, train=train, validation=validation, base=job.load_base(),
        task=job.load_task(), objective=job.load_objective(), artifact=artifact, validation_scorer=scorer,
    )
    return collect_answers(contender, work)


def collect_answers(contender: Contender, work: AnswerJob) -> tuple[list[Answer], dict[str, Any]]:
    """Return the answers to a job, in the order of its rows, and the facts that were recorded.

    Raises PluginError if a row has no answer, more than one, or one that can not be scored.
    """
    with guard_plugin_call(contender, work.rows, work.train, work.validation, work.tables):
        answers = list(iterate_checked_values(contender, "answer", contender.answer(work), Answer))
    return order_answers(contender, answers, work.rows, work.task.output_type), work.facts


def build_validation_scorer(job: StageJob, train: Sequence[Row]) -> ValidationScorer:
    """Return a function that scores answers to validation rows: the mean of the gate's metric, higher is better."""
    judge, metric = job.load_deciding_metric()
    common = {**job.build_job_fields(), "train": train, "task": job.load_task()}

    def compute_score(rows: Sequence[Row], answers: Sequence[Answer]) -> float:
        by_id = {answer.id: answer for answer in answers}
        scores = compute_row_scores(judge, ScoreJob(**common, rows=rows, answers=by_id))
        mean = sum(values[metric.name] for values in scores.values()) / len(scores)
        return mean if metric.higher_is_better else -mean

    return compute_score
