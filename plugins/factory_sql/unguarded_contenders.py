"""The same contenders without the guard on their decoding: what it is worth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from factory.api import Answer, AnswerJob, Contender, Task
from factory_contenders.prompted import Prompted


def disable_guard(task: Task) -> Task:
    """The task as it would be without a guide. Raises ValueError for a task that has none to leave out."""
    if "guarded" not in type(task).model_fields:
        raise ValueError(f"the task {task.kind!r} has no guard to leave out")
    return task.model_copy(update={"guarded": False})


class TunedUnguarded(Contender):
    """The fine-tune, decoding whatever it likes. Shown beside tuned, not compared with it."""

    kind = "tuned-unguarded"
    uses_adapter = True
    in_gate = False

    def answer(self, job: AnswerJob) -> Iterator[Answer]:
        free = replace(job, task=disable_guard(job.task))
        yield from job.objective.answer(free.build_model_job(job.adapter))


class PromptedUnguarded(Prompted):
    """Prompting as a plain script does it: the model may say what it likes. A prompted leg like any other."""

    kind = "prompted-unguarded"

    def answer(self, job: AnswerJob) -> Iterator[Answer]:
        free = replace(job, task=disable_guard(job.task))
        yield from super().answer(free)
