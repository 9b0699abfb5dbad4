"""Try a contender that needs no training, or the teacher, on a few validation rows. Test rows are not used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, cast

from factory import identity
from factory.advise.survey import BASELINE, PROMPTED, TEACHER, ContenderEstimate
from factory.api import TRAIN, VALIDATION, Answer, AnswerJob, ChatRequest, Contender, Eval, Row, ScoreJob, Scores
from factory.api.jobs import raise_no_validation_scorer
from factory.data.rows import write_json, write_jsonl
from factory.errors import InputError, PluginError
from factory.evaluation.statistics import compute_mean_interval
from factory.stages.answer import build_validation_scorer
from factory.stages.job import StageJob, guard_plugin_call, iterate_checked_values

CONFIDENCE = 0.95
MIN_TRIAL_ROWS = 12
"""With fewer validation rows there is no trial."""
SELECTION_DIVISOR = 3
"""One row in this many is set aside for contenders that tune settings; the others are answered and scored."""
DEFAULT_ANSWER_TOKENS = 256
"""Token limit of the teacher's answers if the objective has no `max_new_tokens`."""


def run(job: StageJob) -> None:
    """Write `baseline_trial.json` and `answers.jsonl`."""
    name, sort = _identify_trial_subject(job)
    rows, tuning = _sample_trial_rows(
        job.open_input_rows("freeze", f"{VALIDATION}.jsonl"), job.config["rows"], job.seed
    )
    if len(rows) + len(tuning) < MIN_TRIAL_ROWS:
        why = f"{len(rows) + len(tuning)} validation rows; {MIN_TRIAL_ROWS} are needed (data.split.validation)"
        write_json(job.out / "baseline_trial.json", asdict(ContenderEstimate(name, sort, why=why)))
        write_jsonl(job.out / "answers.jsonl", [])
        return
    answers, facts = _answer_by_teacher(job, rows) if sort == TEACHER else _answer_by_contender(job, rows, tuning)
    scores = _score_trial_answers(job, rows, answers)
    write_jsonl(job.out / "answers.jsonl", ({"id": answer.id, "output": answer.output} for answer in answers))
    write_json(job.out / "baseline_trial.json", asdict(ContenderEstimate(name, sort, *scores, facts=facts)))


def _identify_trial_subject(job: StageJob) -> tuple[str, str]:
    block = job.config.get("contender")
    if not block:
        return TEACHER, TEACHER
    contender = cast(Contender, job.make_plugin("contender", block))
    return contender.kind, PROMPTED if contender.is_prompt_only else BASELINE


def _sample_trial_rows(rows: Sequence[Row], count: int, seed: int) -> tuple[list[Row], list[Row]]:
    """Sample at most `count` rows by a hash of their ids: rows to answer, and rows for tuning settings."""
    sample = sorted(rows, key=lambda row: identity.compute_key(["trial", seed, row.id]))[:count]
    tuning = len(sample) // SELECTION_DIVISOR
    return sample[tuning:], sample[:tuning]


def _answer_by_contender(job: StageJob, rows: list[Row], tuning: list[Row]) -> tuple[list[Answer], dict[str, Any]]:
    contender = cast(Contender, job.make_plugin("contender", job.config["contender"]))
    train = job.open_input_rows("curate", f"{TRAIN}.jsonl")
    scorer = build_validation_scorer(job, train) if contender.uses_validation_score else raise_no_validation_scorer
    work = AnswerJob(
        **job.build_job_fields(), rows=rows, train=train, validation=tuning, base=job.load_base(),
        task=job.load_task(), objective=job.load_objective(), adapter=None, validation_scorer=scorer,
    )
    with guard_plugin_call(contender, rows, tuning):
        answers = list(iterate_checked_values(contender, "answer", contender.answer(work), Answer))
    by_id = {answer.id: answer for answer in answers}
    missing = next((row.id for row in rows if row.id not in by_id), None)
    if missing is not None:
        raise PluginError(
            f"contender {contender.kind!r}: {len(answers)} answers to {len(rows)} rows; none to row {missing!r}"
        )
    return [by_id[row.id] for row in rows], work.facts


def _answer_by_teacher(job: StageJob, rows: list[Row]) -> tuple[list[Answer], dict[str, Any]]:
    """Let the teacher answer the specialist's prompts; for labels it chooses one of them."""
    task = job.load_task()
    choices = task.list_choices(job.open_input_rows("curate", f"{TRAIN}.jsonl")) if task.output_type == "labels" else ()
    limit = int(getattr(job.load_objective(), "max_new_tokens", DEFAULT_ANSWER_TOKENS))
    asks = [ChatRequest(tuple(task.render_messages(row)), choices=choices, max_tokens=limit) for row in rows]
    replies = list(job.open_teacher(TEACHER).ask(asks, job.report))
    answers = [
        Answer(row.id, _assign_label_weights(reply.text, choices) if choices else reply.text.strip())
        for row, reply in zip(rows, replies, strict=True)
    ]
    return answers, {
        "model": next((reply.model for reply in replies if reply.model), ""), "calls": len(replies),
        "failed": sum(bool(reply.error) for reply in replies),
        "tokens_in": sum(reply.input_tokens for reply in replies),
        "tokens_out": sum(reply.output_tokens for reply in replies),
        "cost": round(sum(reply.cost for reply in replies), 6),
    }


def _assign_label_weights(answer: str, choices: Sequence[str]) -> dict[str, float]:
    """Return probability 1 for the answered label, or equal ones if the answer is not a label."""
    if answer not in choices:
        return dict.fromkeys(choices, 1 / len(choices))
    return {label: float(label == answer) for label in choices}


def _score_trial_answers(job: StageJob, rows: list[Row], answers: list[Answer]) -> tuple[float, float, float, int]:
    """Return mean, lower bound, upper bound and number of rows of the deciding metric."""
    judge = cast(Eval, job.make_plugin("eval", job.config["judge"]))
    name = job.config["metric"] or judge.primary_metric
    metric = next(metric for metric in judge.metrics if metric.name == name)
    work = ScoreJob(
        **job.build_job_fields(), rows=rows, answers={answer.id: answer for answer in answers},
        train=job.open_input_rows("curate", f"{TRAIN}.jsonl"),
    )
    with guard_plugin_call(judge, rows):
        scores = iterate_checked_values(judge, "score", judge.score(work), Scores)
        values = {row_scores.id: row_scores.values[name] for row_scores in scores}
    groups = [row.group or row.id for row in rows]
    try:
        result = compute_mean_interval([values[row.id] for row in rows], groups, CONFIDENCE, binary=metric.binary)
    except InputError:  # a single group has a mean, but no interval
        mean = sum(values.values()) / len(values)
        return round(mean, 6), round(mean, 6), round(mean, 6), len(values)
    return result.mean, result.low, result.high, result.n
