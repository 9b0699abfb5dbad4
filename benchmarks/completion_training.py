"""Training a decoder: plain TRL against the factory, same rows, in CPU seconds of one thread."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from against_trl import SCRIPTS, Recipe, print_pairs, train_once
from entry import run_main

from factory.api import Row, Task
from factory.stages.job import StageJob

RECIPE = Recipe(rate=1e-3, batch=8, rank=16)


def train_with_script(job: StageJob, task: Task, rows: Sequence[Row], tuned: bool) -> Path:
    """Train as the documentation of TRL does; returns the adapter's folder."""
    from plain_sft import train

    chats = [build_trl_example(task, row) for row in rows]
    return train(job.load_base().folder, chats, RECIPE.rate, RECIPE.batch, RECIPE.rank, job.out, tuned=tuned)


def build_trl_example(task: Task, row: Row) -> dict[str, Any]:
    """Return a row in TRL's conversational prompt/completion format."""
    turns = [{"role": message.role, "content": message.content} for message in task.render_messages(row)]
    return {"prompt": turns, "completion": [{"role": "assistant", "content": task.render_target(row)}]}


def compute_test_loss(job: StageJob, task: Task, rows: Sequence[Row], adapter: Path) -> dict[str, float]:
    """Return the mean loss per token of the reference answers to test rows."""
    from factory.ml.cpu.backend import PackedBackend

    model = PackedBackend().load_decoder(job.load_base().folder, adapter)
    answers = [model.tokenize_answer(task.render_target(row)) for row in rows]
    prompts = [model.tokenize_chat(task.render_messages(row)) for row in rows]
    logprobs = model.compute_choice_logprobs(prompts, [[ids] for ids in answers])
    return {"loss": -sum(logprob for (logprob,) in logprobs) / sum(map(len, answers))}


def _format_training_result(name: str, measures: Mapping[str, float]) -> str:
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
        measures = train_once(
            spec, one, rows, tests, recipe=RECIPE, train_script=train_with_script, measure=compute_test_loss
        )
        click.echo(json.dumps(measures))
        return
    common = ["--spec", str(spec), "--rows", str(rows), "--tests", str(tests)]
    print_pairs(__file__, script, pairs, common, _format_training_result)


if __name__ == "__main__":
    run_main(main)
