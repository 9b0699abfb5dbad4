"""A fit that is interrupted ends with the parameters of one that is not, bit for bit."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_parts import Voice, base
from torch import Tensor

from factory.api import Adapter, Base, FitJob, TrainingArgs
from factory.ml import trainer
from factory.ml.checkpoints import collect_trainable_parameters
from factory.ml.kit import load_kit

ROWS = [[2, 5 + n % 12, 5 + (n * 7) % 12, 3] for n in range(30)]
SETTINGS = TrainingArgs(epochs=2, batch_size=3, learning_rate=1e-2, precision="fp32", checkpoint_every=4)
STEPS = 20


class PulledOutError(Exception):
    """The plug."""


@dataclass
class Lesson:
    """Fits the same tiny model on the same rows, and can be interrupted at a step."""

    folder: Path
    dropout: float = 0.0
    voice: Voice = field(default_factory=Voice)

    @property
    def notes(self) -> list[str]:
        """What was noted, beside which backend trains."""
        return [note for note in self.voice.notes if "with the backend" not in note]

    def fit(self, work: str, stop: int = 0) -> dict[str, Tensor]:
        """The parameters at the end; raises PulledOutError in step `stop`."""
        learner = load_kit().create_learner(self.job())
        taken = 0

        def loss(model: Any, rows: list[list[int]]) -> Tensor:
            nonlocal taken
            taken += 1
            if taken == stop:
                raise PulledOutError
            hidden = model(input_ids=torch.tensor(rows)).last_hidden_state
            return (hidden[:, 1] - hidden[:, 2].roll(1, 0)).square().mean()

        (self.folder / work).mkdir(exist_ok=True)
        job = replace(self.job(), work=self.folder / work)
        steps, _ = trainer.train_learner(learner, ROWS, lambda rows: rows, loss, job)
        assert steps == STEPS
        return {name: value.detach().clone() for name, value in collect_trainable_parameters(learner.model).items()}

    def job(self) -> FitJob:
        there = Base(self.folder / "base" / "model", "tiny", "1", "d", "MIT")
        return FitJob(
            seed=7, report=self.voice, root=self.folder, rows=[], validation=[], base=there, task=None,  # type: ignore[arg-type]
            adapter=Adapter(rank=4, alpha=8, dropout=self.dropout), train=SETTINGS, out=self.folder, work=self.folder,
        )


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    base(tmp_path / "base")
    return tmp_path


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@contextmanager
def pulled() -> Iterator[None]:
    with pytest.raises(PulledOutError):
        yield


@pytest.mark.parametrize(("dropout", "stop"), [(0.0, 7), (0.2, 15)])
def test_an_interrupted_fit_ends_with_the_same_parameters(folder: Path, dropout: float, stop: int) -> None:
    lesson = Lesson(folder, dropout)
    whole = lesson.fit("whole")
    with pulled():
        lesson.fit("halves", stop)
    assert same(lesson.fit("halves"), whole)
    assert lesson.notes == [f"resuming training from step {(stop - 1) // 4 * 4} of {STEPS}"]


def test_a_torn_checkpoint_is_set_aside_and_the_one_before_is_taken(folder: Path) -> None:
    lesson = Lesson(folder)
    whole = lesson.fit("whole")
    with pulled():
        lesson.fit("torn", 15)
    newest = folder / "torn" / "checkpoint-12" / "optimizer.pt"
    newest.write_bytes(newest.read_bytes()[:-100])
    assert same(lesson.fit("torn"), whole)
    assert (folder / "torn" / "torn" / "checkpoint-12").is_dir()
    assert lesson.notes == [
        "checkpoint-12 is incomplete and was moved to torn/; using an earlier one",
        f"resuming training from step 8 of {STEPS}",
    ]


def test_a_checkpoint_without_its_seal_is_torn(folder: Path) -> None:
    lesson = Lesson(folder)
    with pulled():
        lesson.fit("torn", 7)
    (folder / "torn" / "checkpoint-4" / "complete.json").unlink()
    assert same(lesson.fit("torn"), lesson.fit("whole"))
    assert lesson.notes == ["checkpoint-4 is incomplete and was moved to torn/; using an earlier one"]
