"""Train: the objective makes an artifact from the base and the training rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, get_args

from factory.api import TRAIN, VALIDATION, Adapter, Artifact, ArtifactKind, FitJob, TrainingArgs, TrainResult
from factory.api.auto_settings import AUTO
from factory.data.rows import write_json
from factory.errors import PluginError
from factory.stages.job import ARTIFACT_FOLDER, StageJob, guard_plugin_call
from factory.stages.seed_choice import run_choice


def run(job: StageJob) -> None:
    """Write the files of the artifact to `artifact/`, and its kind and what training counted to `train.json`."""
    if "seeds" in job.config:
        run_choice(job)
        return
    objective = job.load_objective()
    out = job.out / ARTIFACT_FOLDER
    out.mkdir()
    work = FitJob(
        **job.build_job_fields(), rows=job.open_input_rows("curate", f"{TRAIN}.jsonl"),
        validation=job.open_input_rows("freeze", f"{VALIDATION}.jsonl"),
        base=job.load_base(), task=job.load_task(), adapter=load_adapter_block(job.config["adapter"]),
        train=TrainingArgs(**job.config["train"]), out=out, work=job.work,
        start=job.load_artifact("start") if "start" in job.inputs else None,
    )
    with guard_plugin_call(objective, work.rows, work.validation):
        result = objective.fit(work)
    if not isinstance(result, TrainResult):
        raise PluginError(f"objective {objective.kind!r}: fit must return a TrainResult, not {type(result).__name__}")
    if result.artifact not in get_args(ArtifactKind):
        known = ", ".join(get_args(ArtifactKind))
        raise PluginError(f"objective {objective.kind!r}: the artifact {result.artifact!r} is none of {known}")
    if problem := Artifact(result.artifact, out, work.base).find_problem():
        raise PluginError(f"objective {objective.kind!r}: {problem}")
    write_json(job.out / "train.json", asdict(result))


def load_adapter_block(block: Mapping[str, Any]) -> Adapter:
    """Return the adapter of a config; a rank that no stage chose is of no use to its kind."""
    return Adapter(**{name: value for name, value in block.items() if value != AUTO})
