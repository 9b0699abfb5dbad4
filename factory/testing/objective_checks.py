"""Checks of objectives: train a small random model with each backend, and again with an interruption."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, get_args

from factory import identity
from factory.api import (
    Adapter,
    Answer,
    Artifact,
    ArtifactKind,
    Finding,
    FitJob,
    ModelJob,
    NoOpReporter,
    Objective,
    TrainingArgs,
    TrainResult,
)
from factory.api.training_args import BackendName
from factory.stages.certify import compute_answer_difference
from factory.testing.sandbox import OffContractError, Trial, check_output_type, check_yielded_values

TRAIN_ROW_COUNT = 40
TRAIN_SETTINGS = {"epochs": 2, "batch_size": 8, "learning_rate": 1e-3, "precision": "fp32", "checkpoint_every": 1}


BACKEND_TOLERANCE = 0.02
"""Largest difference of two numbers in the answers of models that two backends trained: rounding grows in training."""


class SimulatedKillError(Exception):
    """Stands in for a kill of the process."""


@dataclass
class KillingReporter(NoOpReporter):
    """A reporter that interrupts training at a step; 0 means never."""

    kill_at_step: int = 0
    steps: int = 0

    def log_metrics(self, step: int, **values: float) -> None:
        """Count a step. Raises SimulatedKillError at the step to interrupt."""
        self.steps += 1
        if self.kill_at_step and self.steps >= self.kill_at_step:
            raise SimulatedKillError


def check_learning(objective: Objective, trial: Trial) -> Any:
    """Train, audit and answer with both backends; return the digest of the tensors that the first one trained, and its
    answers to unseen rows.

    Raises OffContractError.
    """
    from factory.ml.kit import load_kit

    results = {
        name: _check_backend(objective, replace(trial, kit_loader=partial(load_kit, name)), name)
        for name in get_args(BackendName)
    }
    (first, result), (second, other) = results.items()
    difference = compute_answer_difference(result[1], other[1]) if objective.output_type != "text" else 0.0
    if difference > BACKEND_TOLERANCE:
        raise OffContractError(
            f"models that the backends {first} and {second} train answer differently, by {difference:.3g}; "
            "compute the loss from what the kit returns, whatever the order of a batch"
        )
    return result


def _check_backend(objective: Objective, trial: Trial, backend: str) -> list[Any]:
    """Train, resume, audit and answer with one backend; return the digest of the tensors, and the answers."""
    unseen = trial.rows[TRAIN_ROW_COUNT:]
    complete, interrupted = trial.root / f"{backend}-complete", trial.root / f"{backend}-interrupted"
    reporter = KillingReporter()
    result = objective.fit(_build_fit_job(trial, complete, reporter))
    artifact = _open_artifact(result, complete, trial)
    digest = _digest_tensors(artifact)
    try:
        objective.fit(_build_fit_job(trial, interrupted, KillingReporter(max(reporter.steps // 2, 1))))
    except SimulatedKillError:
        shutil.rmtree(interrupted)
        objective.fit(_build_fit_job(trial, interrupted, KillingReporter(), resume=True))
    if _digest_tensors(replace(artifact, folder=interrupted)) != digest:
        raise OffContractError("an interrupted and resumed fit gives a different artifact; resume from job.work")
    audit_job = _build_model_job(trial, trial.rows[:TRAIN_ROW_COUNT], None)
    list(check_yielded_values(objective.audit(audit_job), Finding, "audit"))
    answers = list(check_yielded_values(objective.answer(_build_model_job(trial, unseen, artifact)), Answer, "answer"))
    for row, answer in zip(unseen, answers, strict=True):
        check_output_type(objective.output_type, row, answer)
    list(check_yielded_values(objective.answer(_build_model_job(trial, unseen, None)), Answer, "answer"))
    return [digest, [[answer.id, answer.output] for answer in answers]]


def _build_model_job(trial: Trial, rows: Any, artifact: Artifact | None) -> ModelJob:
    fields = trial.build_job_fields()
    return ModelJob(**fields, rows=rows, base=trial.get_base(), task=trial.make_task(), artifact=artifact)


def _build_fit_job(trial: Trial, out: Path, report: KillingReporter, resume: bool = False) -> FitJob:
    """Build a fit job that writes to `out`; with `resume`, the work folder of an interrupted fit is kept."""
    work = out.with_name(f"{out.name}.work")
    if not resume:
        for folder in (out, work):
            shutil.rmtree(folder, ignore_errors=True)
    out.mkdir()
    work.mkdir(exist_ok=True)
    return FitJob(
        **{**trial.build_job_fields(), "report": report}, rows=trial.rows[:TRAIN_ROW_COUNT],
        validation=trial.rows[TRAIN_ROW_COUNT:], base=trial.get_base(), task=trial.make_task(), adapter=Adapter(rank=2),
        train=TrainingArgs.model_validate(TRAIN_SETTINGS), out=out, work=work,
    )


def _open_artifact(result: Any, folder: Path, trial: Trial) -> Artifact:
    """Return what fit wrote to a folder. Raises OffContractError if it is no artifact, or not the one it returned."""
    if not isinstance(result, TrainResult):
        raise OffContractError(f"fit must return a TrainResult, not {type(result).__name__}")
    if result.artifact not in get_args(ArtifactKind):
        raise OffContractError(f"the artifact {result.artifact!r} is none of {', '.join(get_args(ArtifactKind))}")
    artifact = Artifact(result.artifact, folder, trial.get_base())
    if problem := artifact.find_problem():
        raise OffContractError(problem)
    return artifact


def _digest_tensors(artifact: Artifact) -> str:
    """Return one digest of the tensor files; other files, such as a config of PEFT, may differ in the order of sets."""
    files = artifact.list_tensor_files()
    return identity.compute_key({str(file.relative_to(artifact.folder)): identity.digest_file(file) for file in files})
