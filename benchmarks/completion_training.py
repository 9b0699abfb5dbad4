"""Training a decoder: plain TRL against the factory, same rows, in CPU seconds of one thread."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
from one_run import build_training_job, measure_fit, measure_in_subprocess

from factory.api import Adapter, FitJob, Row, Task, TrainingArgs
from factory.data.rows import read_rows
from factory.stages.job import StageJob

SCRIPTS = ("default", "tuned")
RATE, BATCH, RANK = 1e-3, 8, 16


def train_with_factory(job: StageJob, task: Task, rows: Sequence[Row]) -> Path:
    """Fit by the factory; returns the adapter's folder."""
    job.load_objective().fit(FitJob(
        **job.build_job_fields(), rows=rows, validation=[], base=job.load_base(), task=task,
        adapter=Adapter(rank=RANK, alpha=RANK), out=job.out, work=job.work,
        # As the plain script's defaults have it: no warm-up.
        train=TrainingArgs(epochs=1, batch_size=BATCH, learning_rate=RATE, warmup_ratio=0.0, checkpoint_every=10**6),
    ))
    return job.out


def train_with_script(job: StageJob, task: Task, rows: Sequence[Row], *, tuned: bool) -> Path:
    """Fit as the library's own documentation does; returns the adapter's folder."""
    from plain_sft import train

    return train(
        job.load_base().folder, [build_trl_example(task, row) for row in rows], RATE, BATCH, RANK, job.out, tuned=tuned
    )


def build_trl_example(task: Task, row: Row) -> dict[str, Any]:
    """A row in TRL's conversational prompt/completion form."""
    turns = [{"role": message.role, "content": message.content} for message in task.render_messages(row)]
    return {"prompt": turns, "completion": [{"role": "assistant", "content": task.render_target(row)}]}


def compute_test_loss(job: StageJob, task: Task, rows: Sequence[Row], adapter: Path) -> float:
    """Mean loss a token of the right answers to test rows."""
    from factory.ml.cpu import decoder

    model = decoder.load_decoder(job.load_base().folder, adapter)
    said = [model.said(task.render_target(row)) for row in rows]
    weights = model.weigh([model.chat(task.render_messages(row)) for row in rows], [[ids] for ids in said])
    return -sum(weight for (weight,) in weights) / sum(map(len, said))


def train_once(spec: Path, how: str, count: int, tests: int) -> dict[str, float]:
    """Train once in this process and measure it."""
    with TemporaryDirectory() as folder:
        job = build_training_job(spec, Path(folder))
        task, rows = job.load_task(), job.open_input_rows("curate", "train.jsonl")[:count]

        def fit(some: Sequence[Row]) -> Path:
            return train_with_factory(job, task, some) if how == "factory" else train_with_script(
                job, task, some, tuned=how == "tuned"
            )

        adapter, found = measure_fit(job, rows, fit)
        frozen = list(read_rows(job.inputs["freeze"] / "test.jsonl"))[:tests]
        return {**found, "loss": compute_test_loss(job, task, frozen, adapter)}


def _format_training_result(name: str, found: dict[str, float]) -> str:
    speed = found["rows"] / found["cpu"]
    return f"{name} {speed:.2f} rows a CPU second, {found['peak']:.0f} MiB, held-out loss {found['loss']:.3f}"


@click.command()
@click.option("--spec", type=click.Path(path_type=Path, exists=True), default=Path("specs/query-rewriter.yaml"))
@click.option("--script", type=click.Choice(SCRIPTS), multiple=True, default=SCRIPTS)
@click.option("--pairs", default=2, help="interleaved pairs of runs")
@click.option("--rows", default=160, help="training rows")
@click.option("--tests", default=64, help="test rows for the loss")
@click.option("--one", default="", hidden=True)
def main(spec: Path, script: tuple[str, ...], pairs: int, rows: int, tests: int, one: str) -> None:
    """Print the ratio of samples per CPU second, factory over script, pair by pair."""
    if one:
        click.echo(json.dumps(train_once(spec, one, rows, tests)))
        return
    common = ["--spec", str(spec), "--rows", str(rows), "--tests", str(tests)]
    for kind in script:
        ratios = []
        for pair in range(1, pairs + 1):
            plain, ours = (
                measure_in_subprocess(__file__, [how], *common, ours=how == "factory") for how in (kind, "factory")
            )
            ratios.append(plain["cpu"] / ours["cpu"])
            click.echo(
                f"{kind} pair {pair}: {_format_training_result('script', plain)}; {_format_training_result('factory', ours)}; {ratios[-1]:.2f}×"
            )
        click.echo(f"{kind}: median ratio {statistics.median(ratios):.2f}")


if __name__ == "__main__":
    main()
