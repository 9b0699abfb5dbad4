"""Training keeps the weights that were best on validation rows, stops when they get no better, and survives a kill."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file
from tiny_decoder import fit_texts, tiny_decoder
from torch.nn import functional

from factory.api import Adapter, Base, FitJob, NoOpReporter, TrainingArgs, TrainResult
from factory.api.training_args import BackendChoice
from factory.ml import trainer
from factory.ml.kit import load_kit

TEXTS = [[0, 40 + n, 50 + n, 60 + n, 1] for n in range(6)]
UNSEEN = [[0, 40, 51, 60, 1], [0, 41, 52, 61, 1]]
"""Texts whose middle token the training rows contradict: learning the rows by heart makes them less likely."""

ANY_TASK: Any = None


@dataclass
class Diary(NoOpReporter):
    """Remembers what was reported; from `kill_at` on, the next step is the last."""

    kill_at: int = 0
    notes: list[str] = field(default_factory=list)
    losses: dict[int, float] = field(default_factory=dict)

    def note(self, text: str, warning: bool = False) -> None:
        self.notes.append(text)

    def log_metrics(self, step: int, **values: float) -> None:
        if "validation_loss" in values:
            self.losses[step] = values["validation_loss"]
        if self.kill_at and step >= self.kill_at:
            raise KeyboardInterrupt


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    return tiny_decoder(tmp_path_factory.mktemp("decoder"))


def fit(
    base: Base, folder: Path, report: Diary, backend: BackendChoice = "cpu", dropout: float = 0.0, **train: Any
) -> TrainResult:
    for name in ("out", "work"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    settings = TrainingArgs(
        batch_size=3, learning_rate=0.06, lr_scheduler="constant", precision="fp32", checkpoint_every=6, **train,
    )
    job = FitJob(
        seed=7, report=report, root=folder, kit_loader=load_kit, rows=[], validation=[], base=base, task=ANY_TASK,
        adapter=Adapter(rank=4, dropout=dropout), train=settings, out=folder / "out", work=folder / "work",
    )
    kit: Any = load_kit(backend)

    return fit_texts(kit, kit.create_learner(job, causal=True), TEXTS, UNSEEN, job)


def read_tensors(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "out" / "adapter_model.safetensors")


@pytest.mark.parametrize("backend", ["cpu", "hf"])
def test_the_best_epoch_is_kept_and_not_the_last(backend: BackendChoice, base: Base, tmp_path: Path) -> None:
    report = Diary()
    result = fit(base, tmp_path / "best", report, backend, epochs=12, keep="best")
    best = min(report.losses, key=lambda step: (report.losses[step], step))
    assert [*report.losses] == list(range(2, 25, 2)), "one loss after each epoch of two steps"
    assert best < 24 and report.losses[best] < report.losses[24], "the rows are learnt by heart in the end"
    assert result.steps == 24
    assert result.facts["kept_step"] == best
    assert result.facts["validation_losses"][str(best)] == pytest.approx(report.losses[best], abs=1e-6)
    assert f"kept the weights of step {best} of 24" in report.notes[-1]
    stopped = Diary()
    few = fit(base, tmp_path / "few", stopped, backend, epochs=12, keep="best", patience=1)
    first_rise = next(step for step in report.losses if report.losses[step] < report.losses[step + 2]) + 2
    assert few.steps == first_rise and [*stopped.losses] == list(range(2, first_rise + 1, 2))
    assert few.facts["kept_step"] == first_rise - 2
    assert f"stopped at step {first_rise} of 24" in stopped.notes[-1]


def test_measuring_changes_nothing_about_training(base: Base, tmp_path: Path) -> None:
    fit(base, tmp_path / "last", Diary(), dropout=0.2, epochs=1)
    fit(base, tmp_path / "best", Diary(), dropout=0.2, epochs=1, keep="best")
    last, best = read_tensors(tmp_path / "last"), read_tensors(tmp_path / "best")
    assert all(torch.equal(tensor, best[name]) for name, tensor in last.items()), "dropout draws the same numbers"


@pytest.mark.parametrize("kill_at", [2, 9, 99])
def test_a_killed_training_ends_with_the_same_weights(kill_at: int, base: Base, tmp_path: Path) -> None:
    whole, resumed = Diary(), Diary()
    settings: dict[str, Any] = {"dropout": 0.2, "epochs": 12, "keep": "best", "patience": 2}
    fit(base, tmp_path / "whole", whole, **settings)
    with pytest.raises(KeyboardInterrupt):
        fit(base, tmp_path / "killed", Diary(kill_at=min(kill_at, max(whole.losses))), **settings)
    result = fit(base, tmp_path / "killed", resumed, **settings)
    assert result.facts["validation_losses"] == {str(step): round(loss, 6) for step, loss in whole.losses.items()}
    mine, others = read_tensors(tmp_path / "whole"), read_tensors(tmp_path / "killed")
    assert all(torch.equal(tensor, others[name]) for name, tensor in mine.items())


def test_without_validation_rows_the_last_weights_are_kept_and_it_is_said(base: Base, tmp_path: Path) -> None:
    report = Diary()
    (tmp_path / "work").mkdir()
    kit: Any = load_kit("cpu")
    job = FitJob(
        seed=7, report=report, root=tmp_path, kit_loader=load_kit, rows=[], validation=[], base=base, task=ANY_TASK,
        adapter=Adapter(rank=4), train=TrainingArgs(keep="best", epochs=1), out=tmp_path, work=tmp_path / "work",
    )
    learner = kit.create_learner(job, causal=True)
    steps, kept = trainer.train_learner(
        learner, TEXTS, lambda texts: kit.build_completion_batch(texts, [2 for _ in texts]),
        lambda model, batch: functional.cross_entropy(*kit.compute_completion_logits(model, batch)), job,
    )
    assert (steps, kept) == (1, {})
    assert "no validation rows" in report.notes[-1]


@pytest.mark.parametrize("backend", ["cpu", "hf"])
def test_a_new_head_may_learn_at_a_rate_of_its_own(backend: BackendChoice, base: Base, tmp_path: Path) -> None:
    """AdamW's first step moves every weight by its rate, so that the rates can be read off the weights."""
    kit: Any = load_kit(backend)
    moved: dict[str, float] = {}
    for rate in (None, 0.05):
        folder = tmp_path / str(rate)
        for name in ("out", "work"):
            (folder / name).mkdir(parents=True)
        settings = TrainingArgs(epochs=1, batch_size=6, learning_rate=0.01, head_learning_rate=rate, warmup_ratio=0,
                                precision="fp32", lr_scheduler="constant")
        job = FitJob(
            seed=7, report=Diary(), root=folder, kit_loader=load_kit, rows=[], validation=[], base=base, task=ANY_TASK,
            adapter=Adapter(rank=4), train=settings, out=folder / "out", work=folder / "work",
        )
        learner = kit.create_learner(job, modules_to_save=("scorer",), causal=True)
        head = torch.nn.Linear(1, 1, bias=False)
        start = head.weight.item()
        learner.model.add_module("scorer", head)

        def compute_loss(model: Any, batch: Any) -> torch.Tensor:
            logits, tokens = kit.compute_completion_logits(model, batch)
            return functional.cross_entropy(logits, tokens) + model.get_submodule("scorer").weight.sum()

        kit.fit(
            learner, TEXTS, lambda texts: kit.build_completion_batch(texts, [2 for _ in texts]), compute_loss, job,
            modules_to_save=("scorer",), task_type="CAUSAL_LM",
        )
        moved[f"head {rate}"] = abs(head.weight.item() - start)
        up = [value for name, value in learner.model.named_parameters() if "lora_B" in name]
        moved[f"adapter {rate}"] = max(value.detach().abs().max().item() for value in up)
    assert moved["head None"] == pytest.approx(0.01, rel=1e-3)
    assert moved["head 0.05"] == pytest.approx(0.05, rel=1e-3)
    assert moved["adapter None"] == moved["adapter 0.05"] == pytest.approx(0.01, rel=1e-3)


def test_patience_without_the_best_weights_is_refused() -> None:
    with pytest.raises(ValidationError, match="patience needs `keep: best`"):
        TrainingArgs(patience=2)

