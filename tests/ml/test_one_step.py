"""What a step of training is: its parts, the length of its gradient, what is computed twice, when it is measured."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file
from tiny_decoder import fit_texts, tiny_decoder

from factory.api import Adapter, Base, FitJob, NoOpReporter, TrainingArgs
from factory.api.training_args import BackendChoice
from factory.ml.kit import load_kit

TEXTS = [[5 + (7 * row + place) % 60 for place in range(9)] for row in range(8)]
"""Texts of one length: the mean of the losses of a step's parts is then the loss of the step."""
UNSEEN = [[9 + (5 * row + place) % 50 for place in range(9)] for row in range(3)]
ANY_TASK: Any = None


@dataclass
class Training(NoOpReporter):
    """The journal of a training, its adapter, and how often the first block was computed."""

    folder: Path
    losses: dict[int, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    blocks: int = 0

    def note(self, text: str, *, warning: bool = False) -> None:
        self.notes.append(text)

    def log_metrics(self, step: int, **values: float) -> None:
        if "validation_loss" in values:
            self.losses[step] = values["validation_loss"]

    def count_block(self, *_: Any) -> None:
        self.blocks += 1

    def read_tensors(self) -> dict[str, torch.Tensor]:
        return load_file(self.folder / "out" / "adapter_model.safetensors")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    return tiny_decoder(tmp_path_factory.mktemp("decoder"))


def train(base: Base, folder: Path, backend: BackendChoice = "cpu", batch: int = 4, **settings: Any) -> Training:
    done = Training(folder)
    for name in ("out", "work"):
        (folder / name).mkdir(parents=True)
    job = FitJob(
        seed=7, report=done, root=folder, kit_loader=load_kit, rows=[], validation=[], base=base, task=ANY_TASK,
        adapter=Adapter(rank=4), out=folder / "out", work=folder / "work", train=TrainingArgs(**{
            "batch_size": batch, "learning_rate": 0.01, "precision": "fp32", "epochs": 1, "lr_scheduler": "constant",
            "warmup_ratio": 0, **settings,
        }),
    )
    kit: Any = load_kit(backend)

    learner = kit.create_learner(job, causal=True)
    learner.model.model.layers[0].mlp.register_forward_pre_hook(done.count_block)
    fit_texts(kit, learner, TEXTS, UNSEEN, job)
    return done


def measure_distance(one: Training, other: Training) -> float:
    """The largest difference of two adapters."""
    mine, theirs = one.read_tensors(), other.read_tensors()
    return max(float((mine[name] - theirs[name]).abs().max()) for name in mine)


@pytest.mark.parametrize("backend", ["cpu", "hf"])
def test_the_parts_of_a_step_make_the_same_step(backend: BackendChoice, base: Base, tmp_path: Path) -> None:
    whole = train(base, tmp_path / "whole", backend, epochs=2)
    parts = train(base, tmp_path / "parts", backend, epochs=2, gradient_accumulation=2)
    other = train(base, tmp_path / "other", backend, batch=2, epochs=2)
    assert (whole.blocks, parts.blocks) == (4, 8)
    assert measure_distance(whole, parts) < 1e-4 < 1e-3 < measure_distance(whole, other)


def test_a_long_gradient_is_scaled_down_and_a_step_has_no_more_parts_than_rows(base: Base, tmp_path: Path) -> None:
    one = {"epochs": 0.5, "gradient_accumulation": 99, "weight_decay": 0.0}
    usual, alike, clipped = (
        train(base, tmp_path / str(clip), **one, gradient_clip=clip) for clip in (1.0, 0, 1e-12)
    )
    assert usual.blocks == 4  # a step of four rows, one by one
    # Adam's first step does not know the length of the gradient, unless it is as small as its epsilon (1e-8).
    before = train(base, tmp_path / "before", epochs=0.5, learning_rate=1e-12)
    moved = measure_distance(usual, before)
    assert measure_distance(usual, alike) < 0.1 * moved and measure_distance(clipped, before) < 0.1 * moved


def test_recomputed_activations_give_the_same_gradients_on_transformers_layers(base: Base, tmp_path: Path) -> None:
    kept = train(base, tmp_path / "kept", "hf", epochs=1)
    again = train(base, tmp_path / "again", "auto", epochs=1, gradient_checkpointing=True)
    assert (kept.blocks, again.blocks) == (2, 4)
    assert measure_distance(kept, again) < 1e-5
    assert any("training with the backend 'hf'" in note for note in again.notes)


def test_validation_rows_are_measured_after_so_many_steps(base: Base, tmp_path: Path) -> None:
    done = train(base, tmp_path / "done", batch=2, epochs=2, keep="best", evaluate_every=3)
    assert [*done.losses] == [3, 6, 8]
    with pytest.raises(ValidationError, match="evaluate_every needs `keep: best`"):
        TrainingArgs(evaluate_every=3)
