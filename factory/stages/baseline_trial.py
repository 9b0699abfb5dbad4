"""Try what exists already on a few validation rows: a contender of the spec, or its teacher. Test rows stay unseen."""

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
from factory.stages.answer import build_validation_judge
from factory.stages.job import StageJob, guard_plugin_call, iterate_checked_values

CONFIDENCE = 0.95
MIN_TRIAL_ROWS = 12
"""Validation rows below which nothing is tried."""
SELECTION_DIVISOR = 3
"""One in so many is kept for contenders that choose their settings; the others are asked."""
DEFAULT_ANSWER_TOKENS = 256
"""Tokens of a teacher's answer where the objective does not say more."""


def run(job: StageJob) -> None:
    """Write `baseline_trial.json`, and `answers.jsonl` with what was said to each row."""
    name, sort = _identify_trial_subject(job)
    asked, known = _draw_trial_rows(job.open_input_rows("freeze", f"{VALIDATION}.jsonl"), job.config["rows"], job.seed)
    if len(asked) + len(known) < MIN_TRIAL_ROWS:
        why = f"{len(asked) + len(known)} validation rows; {MIN_TRIAL_ROWS} are needed (data.split.validation)"
        write_json(job.out / "baseline_trial.json", asdict(ContenderEstimate(name, sort, why=why)))
        write_jsonl(job.out / "answers.jsonl", [])
        return
    answers, facts = _answer_by_teacher(job, asked) if sort == TEACHER else _answer_by_contender(job, asked, known)
    leg = _score_trial_answers(job, asked, answers)
    write_jsonl(job.out / "answers.jsonl", ({"id": answer.id, "output": answer.output} for answer in answers))
    write_json(job.out / "baseline_trial.json", asdict(ContenderEstimate(name, sort, *leg, facts=facts)))


def _identify_trial_subject(job: StageJob) -> tuple[str, str]:
    block = job.config.get("contender")
    if not block:
        return TEACHER, TEACHER
    contender = cast(Contender, job.make_plugin("contender", block))
    return contender.kind, PROMPTED if contender.is_prompt_only else BASELINE


def _draw_trial_rows(rows: Sequence[Row], count: int, seed: int) -> tuple[list[Row], list[Row]]:
    """At most `count` rows, drawn by a hash of their ids: those to ask, and those to choose settings on."""
    drawn = sorted(rows, key=lambda row: identity.compute_key(["trial", seed, row.id]))[:count]
    known = len(drawn) // SELECTION_DIVISOR
    return drawn[known:], drawn[:known]


def _answer_by_contender(job: StageJob, asked: list[Row], known: list[Row]) -> tuple[list[Answer], dict[str, Any]]:
    contender = cast(Contender, job.make_plugin("contender", job.config["contender"]))
    train = job.open_input_rows("curate", f"{TRAIN}.jsonl")
    work = AnswerJob(
        **job.build_job_fields(), rows=asked, train=train, validation=known, base=job.load_base(), task=job.load_task(),
        objective=job.load_objective(), adapter=None, validation_scorer=build_validation_judge(job, train) if contender.uses_validation_score else raise_no_validation_scorer,
    )
    with guard_plugin_call(contender, asked, known):
        answers = list(iterate_checked_values(contender, "answer", contender.answer(work), Answer))
    return _order_trial_answers(contender.kind, asked, answers), work.facts


def _order_trial_answers(kind: str, asked: list[Row], answers: list[Answer]) -> list[Answer]:
    said = {answer.id: answer for answer in answers}
    missing = next((row.id for row in asked if row.id not in said), None)
    if missing is not None:
        raise PluginError(f"contender {kind!r}: {len(answers)} answers to {len(asked)} rows; none to {missing!r}")
    return [said[row.id] for row in asked]


def _answer_by_teacher(job: StageJob, asked: list[Row]) -> tuple[list[Answer], dict[str, Any]]:
    """What the teacher says, asked as the specialist would be; with few answers, one of these."""
    task = job.load_task()
    choices = task.list_choices(job.open_input_rows("curate", f"{TRAIN}.jsonl")) if task.output_type == "labels" else ()
    limit = int(getattr(job.load_objective(), "max_new_tokens", DEFAULT_ANSWER_TOKENS))
    asks = [ChatRequest(tuple(task.render_messages(row)), choices=choices, max_tokens=limit) for row in asked]
    replies = list(job.open_teacher(TEACHER).ask(asks, job.report))
    answers = [
        Answer(row.id, _assign_label_weights(reply.text, choices) if choices else reply.text.strip())
        for row, reply in zip(asked, replies, strict=True)
    ]
    return answers, {
        "model": next((reply.model for reply in replies if reply.model), ""), "calls": len(replies),
        "failed": sum(bool(reply.error) for reply in replies),
        "tokens_in": sum(reply.input_tokens for reply in replies),
        "tokens_out": sum(reply.output_tokens for reply in replies),
        "cost": round(sum(reply.cost for reply in replies), 6),
    }


def _assign_label_weights(said: str, choices: Sequence[str]) -> dict[str, float]:
    """All on the label that was said; spread evenly where it is none of them."""
    if said not in choices:
        return dict.fromkeys(choices, 1 / len(choices))
    return {label: float(label == said) for label in choices}


def _score_trial_answers(job: StageJob, asked: list[Row], answers: list[Answer]) -> tuple[float, float, float, int]:
    """Mean, low, high and rows of the deciding metric."""
    judge = cast(Eval, job.make_plugin("eval", job.config["judge"]))
    name = job.config["metric"] or judge.primary_metric
    metric = next(metric for metric in judge.metrics if metric.name == name)
    work = ScoreJob(
        **job.build_job_fields(), rows=asked, answers={answer.id: answer for answer in answers},
        train=job.open_input_rows("curate", f"{TRAIN}.jsonl"),
    )
    with guard_plugin_call(judge, asked):
        values = {one.id: one.values[name] for one in iterate_checked_values(judge, "score", judge.score(work), Scores)}
    groups = [row.group or row.id for row in asked]
    try:
        found = compute_mean_interval([values[row.id] for row in asked], groups, CONFIDENCE, binary=metric.binary)
    except InputError:  # all of one group: a mean, and no telling how sure
        mean = sum(values.values()) / len(values)
        return round(mean, 6), round(mean, 6), round(mean, 6), len(values)
    return found.mean, found.low, found.high, found.n
