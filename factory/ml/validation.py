"""Validation during training: keep the weights with the lowest loss on validation rows, and stop when it stays higher.

The losses and the best weights are in the work folder of the stage: a resumed training knows both.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from factory.api import Reporter
from factory.ml.checkpoints import load_trainable_parameters, save_trainable_parameters

if TYPE_CHECKING:
    from torch import Tensor, nn

    from factory.ml.trainer import Learner

LOSSES_FILE = "validation.json"


class BestWeights(TrainerCallback):  # type: ignore[misc]
    """Measures the loss on validation rows after every so many steps, and saves the best weights.

    Training stops once `patience` measures in turn (0: never) did not lower the loss.
    """

    def __init__(
        self, learner: Learner, measure: Callable[[], float], folder: Path, report: Reporter, *, every: int,
        patience: int,
    ) -> None:
        self.learner, self.measure, self.folder, self.report = learner, measure, folder, report
        self.every, self.patience = every, patience
        self.losses = _read_losses(folder)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        # Before the checkpoint of this step is written: whoever resumes from it has the loss.
        if state.global_step % self.every and state.global_step != state.max_steps:
            return
        if state.global_step not in self.losses:
            self._measure_step(state.global_step)
        control.should_training_stop |= self.has_stopped

    @property
    def has_stopped(self) -> bool:
        """Whether `patience` measures did not lower the loss, in this process or before it was killed."""
        if not self.patience or not self.losses:
            return False
        best = self._find_best()
        return sum(step > best for step in self.losses) >= self.patience

    def _measure_step(self, step: int) -> None:
        loss = self.measure()
        if not self.losses or loss < min(self.losses.values()):
            # First the weights, then the loss that points to them: after a kill, neither is without the other.
            save_trainable_parameters(self.learner.model, self._name_weights(step))
        self.losses[step] = loss
        temporary = self.folder / f"{LOSSES_FILE}.new"
        temporary.write_text(json.dumps({str(step): loss for step, loss in self.losses.items()}))
        temporary.replace(self.folder / LOSSES_FILE)
        best = self._name_weights(self._find_best())
        for file in self.folder.glob("best-*.safetensors"):
            if file != best:
                file.unlink()
        self.report.log_metrics(step, validation_loss=loss)

    def _name_weights(self, step: int) -> Path:
        return self.folder / f"best-{step}.safetensors"

    def _find_best(self) -> int:
        """Return the step with the lowest loss, the first of equal ones."""
        return min(self.losses, key=lambda step: (self.losses[step], step))

    def restore_best(self, last: int, total: int) -> dict[str, Any]:
        """Put the best weights into the model; return what was measured, for the manifest."""
        best = self._find_best()
        load_trainable_parameters(self.learner.model, self._name_weights(best))
        stopped = f", stopped at step {last} of {total}" if last < total else ""
        self.report.note(
            f"kept the weights of step {best} of {last}: validation loss {self.losses[best]:.4f}, "
            f"{self.losses[last]:.4f} at the end{stopped}"
        )
        losses = {str(step): round(loss, 6) for step, loss in sorted(self.losses.items())}
        return {"kept_step": best, "validation_losses": losses}


def measure_loss(
    learner: Learner, rows: Sequence[Any], collate: Callable[[list[Any]], Any],
    loss: Callable[[nn.Module, Any], Tensor], batch_size: int,
) -> float:
    """Return the mean loss of rows by the model as it answers: without dropout and gradients."""
    total = 0.0
    with evaluate_without_gradients(learner):
        for first in range(0, len(rows), batch_size):
            batch = list(rows[first : first + batch_size])
            total += float(loss(learner.model, collate(batch))) * len(batch)
    return total / len(rows)


@contextmanager
def evaluate_without_gradients(learner: Learner) -> Iterator[None]:
    """Within the context, the learner answers: without dropout and gradients. Afterwards it trains as before."""
    learner.begin_step()
    learner.model.eval()
    # Numbers that are drawn here must not change those of the training steps.
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        yield
    learner.model.train()


def _read_losses(folder: Path) -> dict[int, float]:
    """Return step → loss of an interrupted training; {} if there was none."""
    try:
        return {int(step): float(loss) for step, loss in json.loads((folder / LOSSES_FILE).read_text()).items()}
    except FileNotFoundError:
        return {}
