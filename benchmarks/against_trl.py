"""A training of the factory beside plain scripts with TRL: the same rows, in processes of their own, in turn."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import click
from one_run import build_training_job, measure_fit, measure_in_subprocess

from factory.api import Adapter, FitJob, Objective, Row, Task, TrainingArgs
from factory.data.rows import read_rows
from factory.stages.job import StageJob

SCRIPTS = ("default", "tuned")
ScriptTrainer = Callable[[StageJob, Task, Sequence[Row], bool], Path]
"""(job, task, rows, tuned) → the folder of the adapter that a plain script trained, at its defaults or tuned."""
TestMeasure = Callable[[StageJob, Task, Sequence[Row], Path], Mapping[str, float]]
"""(job, task, test rows, adapter) → what was learned."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What both sides train with."""

    rate: float
    batch: int
    rank: int

    def train(self, objective: Objective, job: StageJob, task: Task, rows: Sequence[Row]) -> Path:
        """Train with the factory; returns the adapter's folder."""
        objective.fit(FitJob(
            **job.build_job_fields(), rows=rows, validation=[], base=job.load_base(), task=task,
            adapter=Adapter(rank=self.rank, alpha=self.rank), out=job.out, work=job.work,
            # No warm-up, as in the defaults of the plain scripts.
            train=TrainingArgs(
                epochs=1, batch_size=self.batch, learning_rate=self.rate, warmup_ratio=0.0, checkpoint_every=10**6
            ),
        ))
        return job.out


def train_once(
    spec: Path, how: str, count: int, tests: int, *, recipe: Recipe, train_script: ScriptTrainer, measure: TestMeasure
) -> dict[str, float]:
    """Train once in this process, by the factory or a script, and measure it."""
    with TemporaryDirectory() as folder:
        job = build_training_job(spec, Path(folder))
        task, rows = job.load_task(), job.open_input_rows("curate", "train.jsonl")[:count]

        def fit(rows_to_fit: Sequence[Row]) -> Path:
            if how == "factory":
                return recipe.train(job.load_objective(), job, task, rows_to_fit)
            return train_script(job, task, rows_to_fit, how == "tuned")

        adapter, measures = measure_fit(job, rows, fit)
        test_rows = list(read_rows(job.inputs["freeze"] / "test.jsonl"))[:tests]
        return {**measures, **measure(job, task, test_rows, adapter)}


def print_pairs(
    benchmark: str, scripts: Sequence[str], pairs: int, arguments: Sequence[str],
    describe: Callable[[str, Mapping[str, float]], str],
) -> None:
    """Print what both sides of each interleaved pair of runs measured, and the ratio of CPU seconds."""
    for kind in scripts:
        ratios = []
        for pair in range(1, pairs + 1):
            plain, ours = (measure_in_subprocess(benchmark, [how], *arguments) for how in (kind, "factory"))
            ratios.append(plain["cpu"] / ours["cpu"])
            results = f"{describe('script', plain)}; {describe('factory', ours)}"
            click.echo(f"{kind} pair {pair}: {results}; {ratios[-1]:.2f}×")
        click.echo(f"{kind}: median ratio {statistics.median(ratios):.2f}")
