"""Training on pairs: plain TRL against the factory, same rows, in CPU seconds of one thread.

The reference's log-probabilities are part of what is measured on both sides, as is everything else of a fit.
"""

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
from factory_preference.dpo import DPO
from factory_preference.judged_answers import CHOSEN, REJECTED

SCRIPTS = ("default", "tuned")
RATE, BATCH, RANK = 5e-5, 4, 16


def train_with_factory(job: StageJob, task: Task, rows: Sequence[Row]) -> Path:
    """Train with the factory; returns the adapter's folder."""
    DPO().fit(FitJob(
        **job.build_job_fields(), rows=rows, validation=[], base=job.load_base(), task=task,
        adapter=Adapter(rank=RANK, alpha=RANK), out=job.out, work=job.work,
        # No warm-up, as in the defaults of the plain script.
        train=TrainingArgs(epochs=1, batch_size=BATCH, learning_rate=RATE, warmup_ratio=0.0, checkpoint_every=10**6),
    ))
    return job.out


def train_with_script(job: StageJob, task: Task, rows: Sequence[Row], *, tuned: bool) -> Path:
    """Train as the documentation of TRL does; returns the adapter's folder."""
    from plain_dpo import train

    pairs = [build_trl_pair(task, row) for row in rows]
    return train(job.load_base().folder, pairs, RATE, BATCH, RANK, job.out, tuned=tuned)


def build_trl_pair(task: Task, row: Row) -> dict[str, Any]:
    """Return a row in TRL's conversational preference format."""
    turns = [{"role": message.role, "content": message.content} for message in task.render_messages(row)]
    answers = ((CHOSEN, task.render_target(row)), (REJECTED, str(row[REJECTED])))
    return {"prompt": turns, **{name: [{"role": "assistant", "content": text}] for name, text in answers}}


def measure_test_loss(job: StageJob, task: Task, rows: Sequence[Row], adapter: Path) -> dict[str, float]:
    """Return the mean loss of test pairs and the share that is preferred rightly, both by the factory in fp32."""
    import torch

    from factory.ml.cpu.backend import PackedBackend

    objective, base = DPO(), job.load_base()
    untuned, tuned = (PackedBackend().load_decoder(base.folder, each, exact=True) for each in (None, adapter))
    examples = objective.build_examples(rows, task, untuned)
    prompts, answers = [each.prompt for each in examples], [each.answers for each in examples]
    before, after = (torch.tensor(each.compute_choice_logprobs(prompts, answers)) for each in (untuned, tuned))
    loss = objective.compute_preference_loss(after, before, examples)
    gains = after - before
    return {"loss": float(loss), "preferred": float((gains[:, 0] > gains[:, 1]).float().mean())}


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
        return {**measures, **measure_test_loss(job, task, test_rows, adapter)}


def _format_measures(name: str, measures: dict[str, float]) -> str:
    seconds = measures["cpu"] * BATCH / measures["rows"]
    return (
        f"{name} {seconds:.2f} CPU s per step of {BATCH} pairs, {measures['peak']:.0f} MiB, held-out loss "
        f"{measures['loss']:.4f}, preferred {measures['preferred']:.3f}"
    )


@click.command()
@click.option("--spec", type=click.Path(path_type=Path, exists=True), default=Path("specs/examples/dpo.yaml"))
@click.option("--script", type=click.Choice(SCRIPTS), multiple=True, default=SCRIPTS)
@click.option("--pairs", default=2, help="interleaved pairs of runs")
@click.option("--rows", default=32, help="training rows")
@click.option("--tests", default=32, help="test rows for the loss")
@click.option("--one", default="", hidden=True)
def main(spec: Path, script: tuple[str, ...], pairs: int, rows: int, tests: int, one: str) -> None:
    """Print the ratio of CPU seconds per step, script over factory, pair by pair."""
    if one:
        click.echo(json.dumps(train_once(spec, one, rows, tests)))
        return
    common = ["--spec", str(spec), "--rows", str(rows), "--tests", str(tests)]
    for kind in script:
        ratios = []
        for pair in range(1, pairs + 1):
            plain, ours = (measure_in_subprocess(__file__, [how], *common) for how in (kind, "factory"))
            ratios.append(plain["cpu"] / ours["cpu"])
            results = f"{_format_measures('script', plain)}; {_format_measures('factory', ours)}"
            click.echo(f"{kind} pair {pair}: {results}; {ratios[-1]:.2f}×")
        click.echo(f"{kind}: median ratio {statistics.median(ratios):.2f}")


if __name__ == "__main__":
    run_main(main)
