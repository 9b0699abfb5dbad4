"""The fine-tuned model, and its base before training."""

from __future__ import annotations

from collections.abc import Iterator

from factory.api import Answer, AnswerJob, Contender


class Tuned(Contender):
    """The base model with the trained artifact. The gate decides whether it beats all other contenders."""

    kind = "tuned"
    uses_artifact = True

    def answer(self, job: AnswerJob) -> Iterator[Answer]:
        if job.artifact is None:
            raise ValueError("the tuned contender needs a trained artifact; train one first")
        yield from job.objective.answer(job.build_model_job(job.artifact))


class Untuned(Contender):
    """The base model without an adapter, which training must improve on."""

    kind = "untuned"

    def answer(self, job: AnswerJob) -> Iterator[Answer]:
        yield from job.objective.answer(job.build_model_job(None))
