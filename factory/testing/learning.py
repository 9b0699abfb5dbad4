"""An objective learns a little on a random model: twice the same, and once with an interruption half-way."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from factory import identity
from factory.api import Adapter, Answer, Finding, FitJob, ModelJob, Objective, Train, TrainResult

if TYPE_CHECKING:
    from factory.testing.trying import Trial

WEIGHTS = "adapter_model.safetensors"
TRAIN = {"epochs": 2, "batch_size": 8, "learning_rate": 1e-3, "precision": "fp32", "checkpoint_every": 1}


class StopError(Exception):
    """A kill, as far as an objective can tell."""


@dataclass
class Killing:
    """A reporter that ends the fit at a step; 0 for never."""

    at: int = 0
    steps: int = 0

    def progress(self, done: int, total: int = 0, unit: str = "rows") -> None:
        """Nothing."""

    def measured(self, step: int, **values: float) -> None:
        """Count a step, and end there if this is the one."""
        self.steps += 1
        if self.at and self.steps >= self.at:
            raise StopError

    def note(self, text: str, *, warning: bool = False) -> None:
        """Nothing."""


def learned(objective: Objective, trial: Trial) -> Any:
    """What an objective says to rows that it did not learn from; raises OffContractError when it breaks a promise."""
    from factory.testing.drive import each, formed
    from factory.testing.trying import OffContractError

    rows = trial.rows[:40]
    whole, killed = Killing(), Killing()
    result = objective.fit(_job(trial, "whole", whole))
    _check(result, trial.root / "whole", OffContractError)
    first = identity.digest_file(trial.root / "whole" / WEIGHTS)
    killed.at = max(whole.steps // 2, 1)
    try:
        objective.fit(_job(trial, "killed", killed))
    except StopError:
        shutil.rmtree(trial.root / "killed")
        objective.fit(_job(trial, "killed", Killing(), keep=True))
    if identity.digest_file(trial.root / "killed" / WEIGHTS) != first:
        raise OffContractError("a fit that was interrupted and run again ends in another adapter; resume from job.work")
    asked = ModelJob(
        **trial.common(), rows=trial.rows[40:], base=trial.lent(), task=trial.task(), adapter=trial.root / "whole"
    )
    list(each(objective.audit(_asking(trial, rows, None)), Finding, "audit"))
    answers = list(each(objective.answer(asked), Answer, "answer"))
    for row, answer in zip(asked.rows, answers, strict=True):
        formed(objective.answers, row, answer)
    list(each(objective.answer(_asking(trial, trial.rows[40:], None)), Answer, "answer"))
    return [first, [[answer.id, answer.output] for answer in answers]]


def _asking(trial: Trial, rows: Any, adapter: Path | None) -> ModelJob:
    return ModelJob(**trial.common(), rows=rows, base=trial.lent(), task=trial.task(), adapter=adapter)


def _job(trial: Trial, name: str, report: Killing, keep: bool = False) -> FitJob:
    """A fit of forty rows into the folder `name`; its work folder is kept from an interrupted one."""
    out, work = trial.root / name, trial.root / f"{name}.work"
    if not keep:
        for folder in (out, work):
            shutil.rmtree(folder, ignore_errors=True)
    out.mkdir()
    work.mkdir(exist_ok=True)
    return FitJob(
        **{**trial.common(), "report": report}, rows=trial.rows[:40], validation=trial.rows[40:], base=trial.lent(),
        task=trial.task(), adapter=Adapter(rank=2), train=Train.model_validate(TRAIN), out=out, work=work,
    )


def _check(result: Any, folder: Path, off: type[Exception]) -> None:
    if not isinstance(result, TrainResult):
        raise off(f"fit must return a TrainResult, not {type(result).__name__}")
    for name in (WEIGHTS, "adapter_config.json"):
        if not (folder / name).is_file():
            raise off(f"fit left no {name} in job.out")


