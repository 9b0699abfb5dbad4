"""Training a decoder: plain TRL against the factory, same rows, in CPU seconds of one thread."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
from entry import run_main
from one_run import build_training_job, measure_fit, measure_in_subprocess

from factory.api import Adapter, FitJob, Row, Task, TrainingArgs
from factory.data.rows import read_rows
from factory.stages.job import StageJob

SCRIPTS = ("default", "tuned")
RATE, BATCH, RANK = 1e-3, 8, 16


def train_with_factory(job: StageJob, task: Task, rows: Sequence[Row]) -> Path:
    """Train with the factory; returns the adapter's folder."""
    job.load_objective().fit(FitJob(
        **job.build_job_fields(), rows=rows, validation=[], base=job.load_base(), task=task,
        adapter=Adapter(rank=RANK, alpha=RANK), out=job.out, work=job.work,
        # No warm-up, as in the defaults of the plain script.
        train=TrainingArgs(epochs=1, batch_size=BATCH, learning_rate=RATE, warmup_ratio=0.0, checkpoint_every=10**6),
    ))
    return job.out


def train_with_script(job: StageJob, task: Task, rows: Sequence[Row], *, tuned: bool) -> Path:
    """Train as the documentation of TRL does; returns the adapter's folder."""
    from plain_sft import train

    return train(
        job.load_base().folder, [build_trl_example(task, row) for row in rows], RATE, BATCH, RANK, job.out, tuned=tuned
    )


def build_trl_example(task: Task, row: Row) -> dict[str, Any]:
    """Return a row in TRL's conversational prompt/completion format."""
    turns = [{"role": message.role, "content": message.content} for message in task.render_messages(row)]
    return {"prompt": turns, "completion": [{"role": "assistant", "content": task.render_target(row)}]}


def compute_test_loss(job: StageJob, task: Task, rows: Sequence[Row], adapter: Path) -> float:
    """Return the mean loss per token of the reference answers to test rows."""
    from factory.ml.cpu.backend import PackedBackend

    model = PackedBackend().load_decoder(job.load_base().folder, adapter)
    answers = [model.tokenize_answer(task.render_target(row)) for row in rows]
    prompts = [model.tokenize_chat(task.render_messages(row)) for row in rows]
    logprobs = model.compute_choice_logprobs(prompts, [[ids] for ids in answers])
    return -sum(logprob for (logprob,) in logprobs) / sum(map(len, answers))


def train_once(spec: Path, how: str, count: int, tests: int) -> dict[str, float]:
    """Train once in this process and measure it."""
    with TemporaryDirectory() as folder:
        job = build_training_job(spec, Path(folder))
        task, rows = job.load_task(), job.open_input_rows("curate", "train.jsonl")[:count]

        def fit(rows_to_fit: Sequence[Row]) -> Path:
            if how == "factory":
                return train_with_factory(job, task, rows_to_fit)
            return train_with_script(job, task, rows_to_fit, tuned=how == "tuned")

        adapter, measures = measure_fit(job, rows, fit)
        test_rows = list(read_rows(job.inputs["freeze"] / "test.jsonl"))[:tests]
        return {**measures, "loss": compute_test_loss(job, task, test_rows, adapter)}


def _format_training_result(name: str, measures: dict[str, float]) -> str:
    speed = measures["rows"] / measures["cpu"]
    return f"{name} {speed:.2f} rows per CPU second, {measures['peak']:.0f} MiB, held-out loss {measures['loss']:.3f}"


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
                measure_in_subprocess(__file__, [how], *common) for how in (kind, "factory")
            )
            ratios.append(plain["cpu"] / ours["cpu"])
            results = f"{_format_training_result('script', plain)}; {_format_training_result('factory', ours)}"
            click.echo(f"{kind} pair {pair}: {results}; {ratios[-1]:.2f}×")
        click.echo(f"{kind}: median ratio {statistics.median(ratios):.2f}")


if __name__ == "__main__":
    run_main(main)
