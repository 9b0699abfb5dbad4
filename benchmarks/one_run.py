"""What the training benchmarks share: a fit over a finished build, measured in a process of its own."""

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
from factory.store.outputs import Store
from factory.store.paths import find_home

WARMUP_ROWS = 16
"""Rows of a first fit that is not measured: imports, kernels and the probe are paid there, on both sides."""


def build_training_job(spec: Path, folder: Path, *overrides: str) -> StageJob:
    """The training stage as a job over what a finished build left in the store; its files go into the folder."""
    store, plan = Store(find_home()), compile_plan(
        resolve_spec(spec, overrides=overrides, registry=load_installed_registry())
    )
    stage = plan["train"]
    places = {role: store.locate_output(name, plan[name].key) for role, name in stage.inputs.items()}
    missing = [role for role, place in places.items() if not place.is_complete]
    if missing:
        raise click.ClickException(f"no output of {', '.join(missing)}; run `factory build {spec}` first")
    for name in ("out", "work"):
        (folder / name).mkdir()
    return StageJob(
        stage="train", config=stage.config, inputs={role: place.output for role, place in places.items()},
        out=folder / "out", work=folder / "work", root=spec.parent, home=find_home(), report=NoOpReporter(),
        registry=load_installed_registry(),
    )


def measure_fit(
    job: StageJob, rows: Sequence[Row], fit: Callable[[Sequence[Row]], Path]
) -> tuple[Path, dict[str, float]]:
    """The adapter that a warm `fit` of these rows leaves, with its rows, CPU seconds and peak memory in MiB."""
    fit(rows[:WARMUP_ROWS])
    for used in (job.work, job.out):
        shutil.rmtree(used)
        used.mkdir()
    start = time.process_time()
    adapter = fit(rows)
    spent, peak = time.process_time() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    return adapter, {"rows": len(rows), "cpu": spent, "peak": peak}


def measure_in_subprocess(script: str, one: Sequence[str], *arguments: str, ours: bool) -> dict[str, float]:
    """What `SCRIPT --one ONE…` prints in a fresh process with one thread; ours as its worker would be started."""
    one_thread = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    environment = {**os.environ, **(WORKER_ENVIRONMENT if ours else {}), **one_thread}
    done = subprocess.run(
        [sys.executable, script, "--one", *one, *arguments], env=environment, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True, check=True,
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found
