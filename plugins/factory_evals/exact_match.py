"""Exact match with the right answer."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from factory.api import Eval, Metric, ScoreJob, Scores, normalise
from factory_evals.text_answers import iterate_text_pairs


class ExactMatch(Eval):
    """Whether an answer is the task's right answer.

    Texts are compared without case, punctuation and surplus white space; signs, operators and the points in numbers
    count. For short answers of one form: names, numbers, codes. Where there are many ways to say it right, a text that
    is like the right one is better measured by `chrf` or `rouge`.
    """

    kind = "exact-match"
    output_type = "text"
    primary_metric = "exact_match"
    metrics = (Metric("exact_match", "whether the answer equals the right one", binary=True),)
    uses_task = True

    strict: bool = Field(False, description="compare case, punctuation and inner white space too")

    def score(self, job: ScoreJob) -> Iterator[Scores]:
        for row, answer, right in iterate_text_pairs(job):
            equal = answer.strip() == right.strip() if self.strict else normalise(answer) == normalise(right)
            yield Scores(row.id, {"exact_match": float(equal)})
