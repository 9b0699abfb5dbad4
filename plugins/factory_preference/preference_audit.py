"""Checks of judged answers: pairs of one text, contradicting judgements, copied prompts, and the pull of length."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from factory.api import Finding, ModelJob, Row, Task, normalise
from factory_preference.judged_answers import (
    CHOSEN,
    REJECTED,
    compute_length_correlation,
    compute_longer_share,
    list_judged_answers,
    list_judgements,
)

BIASED_SHARE = 0.65
"""Share of couples in which one length is preferred from which the note on length is a warning."""
MIN_BIAS_ROWS = 20
"""Rows below which a share says too little for a warning."""


def audit_judgements(job: ModelJob) -> Iterator[Finding]:
    """Yield findings on the judged answers of each row, and note what length alone explains of the judgements."""
    known: defaultdict[tuple[str, str], dict[bool, str]] = defaultdict(dict)
    for row in job.rows:
        prompt, answers = render_prompt(row, job.task), list_judged_answers(row, job.task)
        if REJECTED in answers and normalise(answers[CHOSEN]) == normalise(answers[REJECTED]):
            yield Finding("identical_pair", row.id, f"both answers are {answers[CHOSEN][:60]!r}")
            continue
        for text, better in list_judgements(row, job.task):
            if better and normalise(text) == prompt:
                yield Finding("answer_is_prompt", row.id, "the better answer repeats the prompt")
            judgements = known[prompt, normalise(text)]
            judgements.setdefault(better, row.id)
            if other := judgements.get(not better, ""):
                word = "better" if better else "worse"
                yield Finding("opposite_pair", row.id, f"{text[:60]!r} is the {word} answer, in {other} it is not")
    if len(job.rows):
        _note_length(job)


def render_prompt(row: Row, task: Task) -> str:
    """Return what the user asks in a row, in the form in which texts are compared."""
    return normalise(task.render_messages(row)[-1].content)


def _note_length(job: ModelJob) -> None:
    share, correlation = compute_longer_share(job.rows, job.task), compute_length_correlation(job.rows, job.task)
    biased = max(share, 1 - share) >= BIASED_SHARE and len(job.rows) >= MIN_BIAS_ROWS
    advice = "; compare with the contender by-length, and look at the pairs whose better answer is the other one"
    job.report.note(
        f"the longer answer is the better one in {100 * share:.0f} % of couples (correlation of length with the "
        f"judgement {correlation:+.2f}){advice if biased else ''}", warning=biased,
    )
