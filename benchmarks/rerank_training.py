"""Training a reranker: plain sentence-transformers against the factory, same rows, in CPU seconds of one thread."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import click
from entry import run_main
from one_run import build_training_job, measure_fit, measure_in_subprocess

from factory.api import Adapter, Answer, Artifact, Eval, FitJob, ModelJob, Objective, Row, ScoreJob, Task, TrainingArgs
from factory.data.rows import read_rows
from factory.stages.job import StageJob

OBJECTIVES = ("cross-encoder", "late-interaction")
RATE, NEGATIVES = 1e-3, 3
BATCH = {"cross-encoder": 8, "late-interaction": 32}
METRIC = "ndcg@10"


def select_training_rows(job: StageJob, count: int) -> list[Row]:
    """Return training rows with a full set of negatives, so that both sides see the same rows."""
    rows = [row for row in job.open_input_rows("curate", "train.jsonl") if len(row["negatives"]) >= NEGATIVES]
    return rows[:count]


def train_with_factory(
    job: StageJob, objective: Objective, task: Task, rows: Sequence[Row], rate: float, batch: int
) -> Path:
    """Train with the factory; returns the adapter's folder."""
    objective.fit(FitJob(
        **job.build_job_fields(), rows=rows, validation=[], base=job.load_base(), task=task, adapter=Adapter(),
        train=TrainingArgs(epochs=1, batch_size=batch, learning_rate=rate, checkpoint_every=10**6), out=job.out,
        work=job.work,
    ))
    return job.out


def train_with_script(
    job: StageJob, objective: Objective, task: Task, rows: Sequence[Row], rate: float, batch: int
) -> Path:
    """Train as the documentation of sentence-transformers does; returns the adapter's folder."""
    from plain_scripts import train_plain_cross_encoder, train_plain_late_interaction

    documents = {name: row["text"] for name, row in job.read_side_tables()["documents"].items()}
    fit = train_plain_cross_encoder if objective.kind == "cross-encoder" else train_plain_late_interaction
    right = [next(iter(row["relevant"])) for row in rows]
    wrong = [row["negatives"][: NEGATIVES] for row in rows]
    return fit(
        job.load_base().folder, [row["query"] for row in rows], [documents[name] for name in right],
        [[documents[name] for name in names] for names in wrong], rate, batch, job.out,
    )


def train_once(spec: Path, kind: str, how: str, count: int, tests: int) -> dict[str, float]:
    """Train once in this process and measure it."""
    with TemporaryDirectory() as folder:
        # The stages before training are the same for all objectives, so that one build serves both.
        job = build_training_job(spec, Path(folder), f"objective={{kind: {kind}, negatives: {NEGATIVES}}}")
        objective, task, rows = job.load_objective(), job.load_task(), select_training_rows(job, count)
        train = train_with_factory if how == "factory" else train_with_script
        adapter, measures = measure_fit(
            job, rows, lambda some: train(job, objective, task, some, RATE, BATCH[kind])
        )
        test_rows = list(read_rows(job.inputs["freeze"] / "test.jsonl"))[:tests]
        answers = list(objective.answer(ModelJob(
            **job.build_job_fields(), rows=test_rows, base=job.load_base(), task=task,
            artifact=Artifact("adapter", adapter, job.load_base()),
        )))
        return {**measures, "metric": compute_mean_ndcg(job, test_rows, answers)}


def compute_mean_ndcg(job: StageJob, rows: list[Row], answers: list[Answer]) -> float:
    """Return the mean nDCG@10 of answers."""
    ranking = job.make_plugin("eval", {"kind": "ranking"})
    assert isinstance(ranking, Eval)
    scores = ranking.score(ScoreJob(**job.build_job_fields(), rows=rows, answers={a.id: a for a in answers}))
    return statistics.mean(score.values[METRIC] for score in scores)


@click.command()
@click.option("--spec", type=click.Path(path_type=Path, exists=True), default=Path("specs/reranker.yaml"))
@click.option("--objective", type=click.Choice(OBJECTIVES), multiple=True, default=OBJECTIVES)
@click.option("--pairs", default=3, help="interleaved pairs of runs")
@click.option("--rows", default=320, help="training rows")
@click.option("--tests", default=150, help="test rows for the metric")
@click.option("--one", type=(str, str), default=None, hidden=True)
def main(
    spec: Path, objective: tuple[str, ...], pairs: int, rows: int, tests: int, one: tuple[str, str] | None
) -> None:
    """Print the ratio of samples per CPU second, factory over script, pair by pair."""
    if one is not None:
        click.echo(json.dumps(train_once(spec, *one, rows, tests)))
        return
    common = ["--spec", str(spec), "--rows", str(rows), "--tests", str(tests)]
    for kind in objective:
        ratios = []
        for pair in range(1, pairs + 1):
            script, ours = (
                measure_in_subprocess(__file__, [kind, how], *common)
                for how in ("script", "factory")
            )
            ratios.append(script["cpu"] / ours["cpu"])
            click.echo(
                f"{kind} pair {pair}: script {script['rows'] / script['cpu']:.1f} rows/s, {script['peak']:.0f} MiB, "
                f"nDCG@10 {script['metric']:.3f}; factory {ours['rows'] / ours['cpu']:.1f} rows/s, "
                f"{ours['peak']:.0f} MiB, {ours['metric']:.3f}; ratio {ratios[-1]:.2f}"
            )
        click.echo(f"{kind}: median ratio {statistics.median(ratios):.2f}")


if __name__ == "__main__":
    run_main(main)
