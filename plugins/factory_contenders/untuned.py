"""The base before training."""

from __future__ import annotations

from collections.abc import Iterator

from factory.api import Answer, AnswerJob, Contender


class Untuned(Contender):
    """The base alone, as the objective answers without an adapter: what the training must have added to."""

    kind = "untuned"

    def answer(self, job: AnswerJob) -> Iterator[Answer]:
        yield from job.objective.answer(job.build_model_job(None))
