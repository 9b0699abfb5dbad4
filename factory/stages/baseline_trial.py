"""Try a contender that needs no training, or the teacher, on a few validation rows. Test rows are not used."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any, cast

from factory import identity
from factory.advise.survey import BASELINE, PROMPTED, TEACHER, ContenderEstimate
from factory.api import TRAIN, VALIDATION, Answer, ChatRequest, Contender, Row, ScoreJob, get_number
from factory.data.rows import write_json, write_jsonl
from factory.data.split import list_row_groups
from factory.errors import InputError
from factory.evaluation.statistics import compute_mean_interval
from factory.stages.answer import answer_by_contender
from factory.stages.job import StageJob
from factory.stages.value_checks import compute_row_scores

CONFIDENCE = 0.95
MIN_TRIAL_ROWS = 12
"""With fewer validation rows there is no trial."""
SELECTION_DIVISOR = 3
"""One row in this many is set aside for contenders that tune settings; the others are answered and scored."""
DEFAULT_ANSWER_TOKENS = 256
"""Token limit of the teacher's answers if the objective has no `max_new_tokens`."""


def run(job: StageJob) -> None:
    """Write `baseline_trial.json` and `answers.jsonl`."""
    block = job.config.get("contender")
    contender = cast(Contender, job.make_plugin("contender", block)) if block else None
    estimate = ContenderEstimate(TEACHER, TEACHER)
    if contender:
        estimate = ContenderEstimate(contender.kind, PROMPTED if contender.is_prompt_only else BASELINE)
    # Sampled by a hash of the ids: the first rows are for tuning settings, the others are answered and scored.
    validation = job.open_input_rows("freeze", f"{VALIDATION}.jsonl")
    sample = sorted(validation, key=lambda row: identity.compute_key(["trial", job.seed, row.id]))[:job.config["rows"]]
    tuning, rows = sample[: len(sample) // SELECTION_DIVISOR], sample[len(sample) // SELECTION_DIVISOR :]
    answers: list[Answer] = []
    if len(sample) < MIN_TRIAL_ROWS:
        why = f"{len(sample)} validation rows; {MIN_TRIAL_ROWS} are needed (data.split.validation)"
        estimate = replace(estimate, why=why)
    else:
        answers, facts = (
            answer_by_contender(job, contender, rows, tuning) if contender else _answer_by_teacher(job, rows)
        )
        mean, low, high, n = _score_trial_answers(job, rows, answers)
        estimate = replace(estimate, mean=mean, low=low, high=high, n=n, facts=facts)
    write_jsonl(job.out / "answers.jsonl", ({"id": answer.id, "output": answer.output} for answer in answers))
    write_json(job.out / "baseline_trial.json", asdict(estimate))


def _answer_by_teacher(job: StageJob, rows: list[Row]) -> tuple[list[Answer], dict[str, Any]]:
    """Let the teacher answer the specialist's prompts; for labels it chooses one of them."""
    task = job.load_task()
    choices = task.list_choices(job.open_input_rows("curate", f"{TRAIN}.jsonl")) if task.output_type == "labels" else ()
    limit = get_number(getattr(job.load_objective(), "max_new_tokens", DEFAULT_ANSWER_TOKENS), DEFAULT_ANSWER_TOKENS)
    asks = [ChatRequest(tuple(task.render_messages(row)), choices=choices, max_tokens=limit) for row in rows]
    replies = list(job.open_teacher(TEACHER).ask(asks, job.report))

    def parse_answer(text: str) -> Any:
        if not choices:
            return text.strip()
        # Equal probabilities if the reply is none of the labels.
        return {label: float(label == text) if text in choices else 1 / len(choices) for label in choices}

    return [Answer(row.id, parse_answer(reply.text)) for row, reply in zip(rows, replies, strict=True)], {
        "model": next((reply.model for reply in replies if reply.model), ""), "calls": len(replies),
        "failed": sum(bool(reply.error) for reply in replies),
        "tokens_in": sum(reply.input_tokens for reply in replies),
        "tokens_out": sum(reply.output_tokens for reply in replies),
        "cost": round(sum(reply.cost for reply in replies), 6),
    }


def _score_trial_answers(job: StageJob, rows: list[Row], answers: list[Answer]) -> tuple[float, float, float, int]:
    """Return mean, lower bound, upper bound and number of rows of the deciding metric."""
    judge, metric = job.load_deciding_metric()
    work = ScoreJob(
        **job.build_job_fields(), rows=rows, answers={answer.id: answer for answer in answers},
        train=job.open_input_rows("curate", f"{TRAIN}.jsonl"), task=job.load_task(),
    )
    values = {row: scores[metric.name] for row, scores in compute_row_scores(judge, work).items()}
    groups = list_row_groups(rows, job.load_task().text_column)
    clusters = [group or row.id for group, row in zip(groups, rows, strict=True)]
    try:
        result = compute_mean_interval([values[row.id] for row in rows], clusters, CONFIDENCE, binary=metric.binary)
    except InputError:  # a single group has a mean, but no interval
        mean = round(sum(values.values()) / len(values), 6)
        return mean, mean, mean, len(values)
    return result.mean, result.low, result.high, result.n
