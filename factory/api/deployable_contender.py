"""A contender that can be deployed in place of the tuned model: a linear head on the frozen base, a prompt."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from factory.api.jobs import AnswerJob
from factory.api.roles import Contender, Objective, Task
from factory.api.rows import TrainResult


class DeployableContender(Contender):
    """A contender whose answers can be given again from files: an artifact, as training would write it.

    Where the tuned model does not ship, a build may bundle the artifact of such a contender instead.
    """

    def find_responder(self, task: Task) -> Objective | None:
        """Return the objective that answers with what `export_artifact` writes, exports its files and answers by a
        public library; None if this contender, as the spec sets it, can not be deployed for this task."""
        return None

    def get_base_alias(self) -> str:
        """Return the model of the spec that the artifact belongs to, such as `prompter`; empty for the student."""
        return ""

    def export_artifact(self, job: AnswerJob, out: Path) -> TrainResult:
        """Write an artifact that answers like this contender to `out`; return its kind and facts, as training does.

        `job` has the rows of its answers; `job.facts` holds what it recorded beside them, such as the chosen prompt.
        """
        raise NotImplementedError


def list_deployable(contenders: Iterable[Contender], task: Task) -> list[DeployableContender]:
    """Return those of the gate's contenders that can be deployed for a task in place of tuned."""
    return [
        contender for contender in contenders
        if isinstance(contender, DeployableContender) and contender.in_gate
        and contender.find_responder(task) is not None
    ]
