"""Contenders (baselines) without constrained decoding, to measure what the guard contributes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from factory.api import Answer, AnswerJob, Contender, Objective, Task
from factory_contenders.prompted import Prompted


def disable_guard(task: Task) -> Task:
    """Return the task with constrained decoding off. Raises ValueError for a task without a guard."""
    if "guarded" not in type(task).model_fields:
        raise ValueError(f"the task {task.kind!r} has no guard, so it has no unguarded contender")
    return task.model_copy(update={"guarded": False})


class TunedUnguarded(Contender):
    """The fine-tuned model with unconstrained decoding; reported beside `tuned`, not part of the gate."""

    kind = "tuned-unguarded"
    uses_artifact = True
    in_gate = False

    def answer(self, job: AnswerJob) -> Iterator[Answer]:
        unguarded = replace(job, task=disable_guard(job.task))
        yield from job.objective.answer(unguarded.build_model_job(job.artifact))


class PromptedUnguarded(Prompted):
    """Prompting with unconstrained decoding, as in a plain script; a baseline like any other prompted contender."""

    kind = "prompted-unguarded"

    def find_responder(self, task: Task) -> Objective | None:
        return None  # it is there to measure the guard

    def answer(self, job: AnswerJob) -> Iterator[Answer]:
        yield from super().answer(replace(job, task=disable_guard(job.task)))
