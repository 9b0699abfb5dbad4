"""The base before training."""

from __future__ import annotations

from collections.abc import Iterator

from factory.api import Answer, AnswerJob, Contender


class Untuned(Contender):
    """The base model without an adapter, which training must improve on."""

    kind = "untuned"

    def answer(self, job: AnswerJob) -> Iterator[Answer]:
        yield from job.objective.answer(job.build_model_job(None))
