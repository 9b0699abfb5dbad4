"""The fine-tuned model, and its base before training."""

from __future__ import annotations

from collections.abc import Iterator

from factory.api import Answer, AnswerJob, Contender


class Tuned(Contender):
    """The base model with the trained adapter. The gate decides whether it beats all other contenders."""

    kind = "tuned"
    uses_adapter = True

    def answer(self, job: AnswerJob) -> Iterator[Answer]:
        if job.adapter is None:
            raise ValueError("the tuned contender needs an adapter; train one first")
        yield from job.objective.answer(job.build_model_job(job.adapter))


class Untuned(Contender):
    """The base model without an adapter, which training must improve on."""

    kind = "untuned"

    def answer(self, job: AnswerJob) -> Iterator[Answer]:
        yield from job.objective.answer(job.build_model_job(None))
