"""Training of a model's own weights: all of them, or those of a new head over a frozen base; and their files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoTokenizer

from factory.api import Adapter, FitJob
from factory.ml.trainer import train_modules_in_fp32

UNUSED_MODULE = "pooler"
"""What token vectors bypass: it would get no gradient."""


@dataclass(frozen=True, slots=True)
class WeightsLearner:
    """A model in training mode whose own weights are trained, in fp32."""

    model: Any
    tokenizer: Any
    modules_to_save: tuple[str, ...] = ()
    word_ids: tuple[int, ...] = ()

    def list_adapted_layers(self) -> list[str]:
        """Return no layer: none has an adapter."""
        return []

    def count_parameters(self) -> int:
        """Return the number of parameters."""
        return sum(parameter.numel() for parameter in self.model.parameters())

    def begin_step(self) -> None:
        """Do nothing: the layers read their parameters in each forward pass."""

    def collect_adapter_tensors(self) -> dict[str, Tensor]:
        """Return no tensor: the files have the whole model."""
        return {}


def train_own_weights(model: nn.Module, adapter: Adapter, modules_to_save: tuple[str, ...], *, labels: int) -> None:
    """Make all weights of a model in fp32 trainable, or with `kind: head` those of `modules_to_save` alone; without
    dropout, as adapters have it."""
    for name, parameter in model.named_parameters():
        is_unused = not labels and name.startswith(f"{UNUSED_MODULE}.")
        parameter.requires_grad_(adapter.kind == "full" and not is_unused)
    train_modules_in_fp32(model, modules_to_save)
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0


def save_weights(learner: WeightsLearner, adapter: Adapter, base: Path, folder: Path) -> None:
    """Write a model folder that plain transformers loads, with the base's tokenizer; `adapter.save` is its precision.

    The learner's model has that precision afterwards: what is measured of it is what was written.
    """
    for name, value in AutoConfig.from_pretrained(base).to_dict().items():
        if isinstance(value, float) and "drop" in name:
            setattr(learner.model.config, name, value)  # it was 0 in training; others may train on with their own
    learner.model.to(torch.bfloat16 if adapter.save == "bf16" else torch.float32)
    learner.model.save_pretrained(folder, max_shard_size="1TB")
    AutoTokenizer.from_pretrained(base).save_pretrained(folder)


def write_trained_weights(
    learner: WeightsLearner, job: FitJob, measure: Callable[[], float] | None
) -> dict[str, Any]:
    """Save the model to `job.out`; return the loss on validation rows before and after its weights are rounded, if they
    are and there is a `measure` of it."""
    if job.adapter.save == "fp32" or measure is None:
        save_weights(learner, job.adapter, job.base.folder, job.out)
        return {}
    before = measure()
    save_weights(learner, job.adapter, job.base.folder, job.out)
    learner.model.float()  # the rounded values, computed with as those before
    return report_precisions(job, ("fp32", "bf16"), (before, measure()))


def report_precisions(job: FitJob, names: tuple[str, str], losses: Sequence[float]) -> dict[str, Any]:
    """Note the losses on validation rows in the precision of training and in the one that is served; return both."""
    (trained, served), (before, after) = names, losses
    job.report.note(
        f"validation loss {before:.4f} in {trained}, as trained, {after:.4f} in {served}, as judged and served"
    )
    return {"validation_loss": {trained: round(before, 6), served: round(after, 6)}}
