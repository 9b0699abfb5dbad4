"""The texts that evals compare: answers, and the right answers of the task."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

from factory.api import Row, ScoreJob


def get_text_answer(job: ScoreJob, row: Row) -> str:
    """Return the answer to a row, composed. Raises ValueError if it is missing or not a text."""
    answer = job.answers.get(row.id)
    if answer is None:
        raise ValueError(f"row {row.id!r} has no answer")
    if not isinstance(answer.output, str):
        raise ValueError(f"row {row.id!r}: expected a text as answer, got a {type(answer.output).__name__}")
    return compose_text(answer.output)


def get_right_answer(job: ScoreJob, row: Row) -> str:
    """Return the task's right answer to a row, composed. Raises ValueError if the job has no task."""
    if job.task is None:
        raise ValueError("this job has no task, whose right answers the eval compares with")
    return compose_text(str(job.task.build_expected_output(row)))


def iterate_text_pairs(job: ScoreJob) -> Iterator[tuple[Row, str, str]]:
    """Yield each row with its answer and the right answer."""
    for row in job.rows:
        yield row, get_text_answer(job, row), get_right_answer(job, row)


def compose_text(text: str) -> str:
    """Return the text in Unicode's composed form (NFC), so that n-grams do not depend on how accents are written."""
    return unicodedata.normalize("NFC", text)
