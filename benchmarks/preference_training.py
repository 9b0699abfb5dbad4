"""Training on pairs: plain TRL against the factory, same rows, in CPU seconds of one thread.

The reference's log-probabilities are part of what is measured on both sides, as is everything else of a fit.
"""

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
from factory_preference.dpo import DPO
from factory_preference.judged_answers import CHOSEN, REJECTED

RECIPE = Recipe(rate=5e-5, batch=4, rank=16)


def train_with_script(job: StageJob, task: Task, rows: Sequence[Row], tuned: bool) -> Path:
    """Train as the documentation of TRL does; returns the adapter's folder."""
    from plain_dpo import train

    pairs = [build_trl_pair(task, row) for row in rows]
    return train(job.load_base().folder, pairs, RECIPE.rate, RECIPE.batch, RECIPE.rank, job.out, tuned=tuned)


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


def _format_measures(name: str, measures: Mapping[str, float]) -> str:
    seconds = measures["cpu"] * RECIPE.batch / measures["rows"]
    return (
        f"{name} {seconds:.2f} CPU s per step of {RECIPE.batch} pairs, {measures['peak']:.0f} MiB, held-out loss "
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
        measures = train_once(
            spec, one, rows, tests, recipe=RECIPE, train_script=train_with_script, measure=measure_test_loss
        )
        click.echo(json.dumps(measures))
        return
    common = ["--spec", str(spec), "--rows", str(rows), "--tests", str(tests)]
    print_pairs(__file__, script, pairs, common, _format_measures)


if __name__ == "__main__":
    run_main(main)
