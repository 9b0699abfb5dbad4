"""An objective learns a little on a random model: twice the same, and once with an interruption half-way."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from factory import identity
from factory.api import Adapter, Answer, Finding, FitJob, ModelJob, Objective, TrainingArgs, TrainResult

if TYPE_CHECKING:
    from factory.testing.sandbox import Trial

ADAPTER_WEIGHTS_FILE = "adapter_model.safetensors"
TRAIN_SETTINGS = {"epochs": 2, "batch_size": 8, "learning_rate": 1e-3, "precision": "fp32", "checkpoint_every": 1}


class SimulatedKillError(Exception):
    """A kill, as far as an objective can tell."""


@dataclass
class KillingReporter:
    """A reporter that ends the fit at a step; 0 for never."""

    kill_at_step: int = 0
    steps: int = 0

    def report_progress(self, done: int, total: int = 0, unit: str = "rows") -> None:
        """Nothing."""

    def log_metrics(self, step: int, **values: float) -> None:
        """Count a step, and end there if this is the one."""
        self.steps += 1
        if self.kill_at_step and self.steps >= self.kill_at_step:
            raise SimulatedKillError

    def note(self, text: str, *, warning: bool = False) -> None:
        """Nothing."""


def check_learning(objective: Objective, trial: Trial) -> Any:
    """What an objective says to rows that it did not learn from; raises OffContractError when it breaks a promise."""
    from factory.testing.role_checks import check_output_type, check_yielded_values
    from factory.testing.sandbox import OffContractError

    rows = trial.rows[:40]
    whole, killed = KillingReporter(), KillingReporter()
    result = objective.fit(_build_fit_job(trial, "whole", whole))
    _check_adapter_files(result, trial.root / "whole", OffContractError)
    first = identity.digest_file(trial.root / "whole" / ADAPTER_WEIGHTS_FILE)
    killed.kill_at_step = max(whole.steps // 2, 1)
    try:
        objective.fit(_build_fit_job(trial, "killed", killed))
    except SimulatedKillError:
        shutil.rmtree(trial.root / "killed")
        objective.fit(_build_fit_job(trial, "killed", KillingReporter(), keep=True))
    if identity.digest_file(trial.root / "killed" / ADAPTER_WEIGHTS_FILE) != first:
        raise OffContractError("a fit that was interrupted and run again ends in another adapter; resume from job.work")
    asked = ModelJob(
        **trial.build_job_fields(), rows=trial.rows[40:], base=trial.get_base(), task=trial.make_task(), adapter=trial.root / "whole"
    )
    list(check_yielded_values(objective.audit(_build_answering_job(trial, rows, None)), Finding, "audit"))
    answers = list(check_yielded_values(objective.answer(asked), Answer, "answer"))
    for row, answer in zip(asked.rows, answers, strict=True):
        check_output_type(objective.output_type, row, answer)
    list(check_yielded_values(objective.answer(_build_answering_job(trial, trial.rows[40:], None)), Answer, "answer"))
    return [first, [[answer.id, answer.output] for answer in answers]]


def _build_answering_job(trial: Trial, rows: Any, adapter: Path | None) -> ModelJob:
    return ModelJob(**trial.build_job_fields(), rows=rows, base=trial.get_base(), task=trial.make_task(), adapter=adapter)


def _build_fit_job(trial: Trial, name: str, report: KillingReporter, keep: bool = False) -> FitJob:
    """A fit of forty rows into the folder `name`; its work folder is kept from an interrupted one."""
    out, work = trial.root / name, trial.root / f"{name}.work"
    if not keep:
        for folder in (out, work):
            shutil.rmtree(folder, ignore_errors=True)
    out.mkdir()
    work.mkdir(exist_ok=True)
    return FitJob(
        **{**trial.build_job_fields(), "report": report}, rows=trial.rows[:40], validation=trial.rows[40:], base=trial.get_base(),
        task=trial.make_task(), adapter=Adapter(rank=2), train=TrainingArgs.model_validate(TRAIN_SETTINGS), out=out, work=work,
    )


def _check_adapter_files(result: Any, folder: Path, off: type[Exception]) -> None:
    if not isinstance(result, TrainResult):
        raise off(f"fit must return a TrainResult, not {type(result).__name__}")
    for name in (ADAPTER_WEIGHTS_FILE, "adapter_config.json"):
        if not (folder / name).is_file():
            raise off(f"fit left no {name} in job.out")


