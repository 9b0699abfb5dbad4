"""Baseline of preferences: the longer answer, or the shorter one, as training rows have it."""

from __future__ import annotations

from collections.abc import Iterator

from factory.api import Answer, AnswerJob, Contender
from factory_preference.judged_answers import compute_longer_share, list_judged_answers
from factory_preference.reward_task import REWARDS


class ByLength(Contender):
    """Prefers the longer of two answers, or the shorter one if that is the better one in most training rows.

    It reads the answers that the test rows give, so that it is a rival of preferences and not of texts: it answers
    with the text that it prefers; among reward models, with the length of each answer.
    """

    kind = "by-length"
    output_type = "text"
    further_output_types = (REWARDS,)

    def answer(self, job: AnswerJob) -> Iterator[Answer]:
        share = compute_longer_share(job.train, job.task)
        sign = 1 if share >= 0.5 else -1
        job.record_facts(prefers="longer" if sign > 0 else "shorter", longer_is_better=round(share, 4))
        if job.task.output_type == REWARDS:
            yield from (Answer(row.id, [float(sign * len(text)) for text in row["answers"]]) for row in job.rows)
            return
        for row in job.rows:
            answers = list_judged_answers(row, job.task)
            scores = {name: float(sign * len(text)) for name, text in answers.items()}
            best = max(scores, key=lambda name: scores[name], default="")
            details = {**scores, **{f"{name}_per_token": score for name, score in scores.items()}}
            yield Answer(row.id, answers.get(best, ""), details=details)
