"""The fine-tune itself."""

from __future__ import annotations

from collections.abc import Iterator

from factory.api import Answer, AnswerJob, Contender


class Tuned(Contender):
    """The base with the adapter, as the objective answers. The gate asks whether it beats all the others."""

    kind = "tuned"
    uses_adapter = True

    def answer(self, job: AnswerJob) -> Iterator[Answer]:
        if job.adapter is None:
            raise ValueError("the tuned contender was given no adapter")
        yield from job.objective.answer(job.build_model_job(job.adapter))
