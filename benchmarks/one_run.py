"""Shared by the training benchmarks: a fit on the outputs of a finished build, measured in its own process."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import click

from factory.api import NoOpReporter, Row
from factory.engine.worker_client import WORKER_ENVIRONMENT
from factory.plan.compiler import compile_plan
from factory.registry.registry import load_installed_registry
from factory.spec.layers import resolve_spec
from factory.stages.job import StageJob
from factory.store.chosen_settings import resolve_config
from factory.store.outputs import Store
from factory.store.paths import find_home

WARMUP_ROWS = 16
"""Rows of an unmeasured first fit, which absorbs imports, kernel set-up and throughput probing on both sides."""


def build_training_job(spec: Path, folder: Path, *overrides: str) -> StageJob:
    """Return the training stage as a job on the outputs of a finished build; its own files go into the folder."""
    store, plan = Store(find_home()), compile_plan(
        resolve_spec(spec, overrides=overrides, registry=load_installed_registry())
    )
    stage = plan["train"]
    outputs = {role: store.locate_output(name, plan[name].key) for role, name in stage.inputs.items()}
    missing = [role for role, stage_output in outputs.items() if not stage_output.is_complete]
    if missing:
        raise click.ClickException(f"no output of {', '.join(missing)}; run `factory build {spec}` first")
    inputs = {role: stage_output.output for role, stage_output in outputs.items()}
    for name in ("out", "work"):
        (folder / name).mkdir()
    return StageJob(
        stage="train", config=resolve_config(stage.config, inputs), inputs=inputs,
        out=folder / "out", work=folder / "work", root=spec.parent, home=find_home(), report=NoOpReporter(),
        registry=load_installed_registry(),
    )


def measure_fit(
    job: StageJob, rows: Sequence[Row], fit: Callable[[Sequence[Row]], Path]
) -> tuple[Path, dict[str, float]]:
    """Fit twice and return the adapter of the second fit, with rows, CPU seconds and peak memory in MiB."""
    fit(rows[:WARMUP_ROWS])
    for folder in (job.work, job.out):
        shutil.rmtree(folder)
        folder.mkdir()
    start = time.process_time()
    adapter = fit(rows)
    cpu, peak = time.process_time() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    return adapter, {"rows": len(rows), "cpu": cpu, "peak": peak}


def measure_in_subprocess(script: str, one: Sequence[str], *arguments: str) -> dict[str, float]:
    """Return the JSON that `SCRIPT --one ONE…` prints in a new process with one thread.

    Both sides get the allocator and OpenMP settings of the factory's workers, which are worth 1.2× to either. Raises
    ClickException with the last line that a failed process wrote.
    """
    one_thread = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    environment = {**os.environ, **WORKER_ENVIRONMENT, **one_thread}
    process = subprocess.run(
        [sys.executable, script, "--one", *one, *arguments], env=environment, capture_output=True, text=True,
        check=False,
    )
    if process.returncode:
        last = [line for line in process.stderr.splitlines() if line.strip()][-1:] or [f"exit {process.returncode}"]
        raise click.ClickException(last[0])
    measures: dict[str, float] = json.loads(process.stdout.splitlines()[-1])
    return measures
