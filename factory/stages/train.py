"""Train: the objective fits an adapter to the training rows."""

from __future__ import annotations

from dataclasses import asdict

from factory.api import TRAIN, VALIDATION, Adapter, FitJob, TrainingArgs, TrainResult
from factory.data.rows import write_json
from factory.errors import PluginError
from factory.stages.job import StageJob, guard_plugin_call


def run(job: StageJob) -> None:
    """Write `adapter/` in the PEFT layout and `train.json`."""
    objective = job.load_objective()
    out = job.out / "adapter"
    out.mkdir()
    work = FitJob(
        **job.build_job_fields(), rows=job.open_input_rows("curate", f"{TRAIN}.jsonl"),
        validation=job.open_input_rows("freeze", f"{VALIDATION}.jsonl"),
        base=job.load_base(), task=job.load_task(), adapter=Adapter(**job.config["adapter"]),
        train=TrainingArgs(**job.config["train"]), out=out, work=job.work,
    )
    with guard_plugin_call(objective, work.rows, work.validation):
        result = objective.fit(work)
    if not isinstance(result, TrainResult):
        raise PluginError(f"objective {objective.kind!r}: fit must return a TrainResult, not {type(result).__name__}")
    if not (out / "adapter_model.safetensors").is_file():
        raise PluginError(f"objective {objective.kind!r}: fit did not write adapter_model.safetensors")
    write_json(job.out / "train.json", asdict(result))
