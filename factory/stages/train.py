"""Learn: the objective writes an adapter."""

from __future__ import annotations

from dataclasses import asdict

from factory.api import TRAIN, VALIDATION, Adapter, FitJob, TrainingArgs, TrainResult
from factory.data.rows import write_json
from factory.errors import PluginError
from factory.stages.job import StageJob, boundary


def run(job: StageJob) -> None:
    """Write `adapter/` in the PEFT layout and `train.json`."""
    objective = job.objective()
    out = job.out / "adapter"
    out.mkdir()
    work = FitJob(
        **job.common(),
        rows=job.rows("curate", f"{TRAIN}.jsonl"), validation=job.rows("freeze", f"{VALIDATION}.jsonl"),
        base=job.base(), task=job.task(), adapter=Adapter(**job.config["adapter"]),
        train=TrainingArgs(**job.config["train"]), out=out, work=job.work,
    )
    with boundary(objective, work.rows, work.validation):
        result = objective.fit(work)
    if not isinstance(result, TrainResult):
        raise PluginError(f"objective {objective.kind!r}: fit must return a TrainResult, not {type(result).__name__}")
    if not (out / "adapter_model.safetensors").is_file():
        raise PluginError(f"objective {objective.kind!r}: fit left no adapter_model.safetensors")
    write_json(job.out / "train.json", asdict(result))
