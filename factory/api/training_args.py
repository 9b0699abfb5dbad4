"""The `adapter` and `train` blocks of a spec, which objectives read directly."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from factory.api.auto_settings import Auto
from factory.api.spec_block import Fraction, Runtime, SpecBlock, UnkeyedDefault

BackendName = Literal["cpu", "hf"]
BackendChoice = Literal["auto", BackendName]
"""Which code trains and answers: see `factory.ml.backend`."""


class Adapter(SpecBlock):
    """The low-rank adapter (LoRA, arXiv:2106.09685), on all linear layers of the base."""

    rank: int = Field(32, ge=1, le=512, description="rank of the low-rank update of each linear layer")
    alpha: float = Field(32, gt=0, description="the update is scaled by alpha / rank")
    dropout: Fraction = Field(0.0, description="dropout before the update, in training")


class _TrainingFields(SpecBlock):
    learning_rate: float = Field(1e-3, gt=0, le=1, description="peak rate of AdamW; ten times that of full fine-tuning")
    head_learning_rate: Annotated[float | None, UnkeyedDefault] = Field(
        None, gt=0, le=1, description="peak rate of a new head; empty for the same rate"
    )
    warmup_ratio: Fraction = Field(0.1, description="share of the steps over which the learning rate rises")
    lr_scheduler: Literal["linear", "cosine", "constant"] = Field(
        "linear", description="how the learning rate falls after warm-up"
    )
    weight_decay: float = Field(0.0, ge=0, description="decoupled weight decay of AdamW")
    seed: int = Field(7, ge=0, description="random seed of training")
    seeds: Annotated[int, UnkeyedDefault] = Field(
        1, ge=1, le=20, description="trainings on the same rows, with seed, seed + 1 and so on: the verdict is over "
        "seeds and rows together, and the model that is best on validation rows is bundled",
    )
    precision: Literal["auto", "fp32", "bf16"] = Field(
        "auto", description="precision of the frozen base (the adapter is fp32); auto picks the faster one here"
    )
    backend: Annotated[BackendChoice, UnkeyedDefault] = Field(
        "auto", description="code that trains and answers: cpu (packed kernels, for BERT and Llama-like models), hf "
        "(transformers and peft, for every model and device); auto picks cpu where it can on a CPU",
    )
    keep: Annotated[Literal["last", "best"], UnkeyedDefault] = Field(
        "last", description="weights that training ends with: those of the last step, or the best on validation rows "
        "(the lowest loss after an epoch)",
    )
    patience: Annotated[int, UnkeyedDefault] = Field(
        0, ge=0, description="with `keep: best`, stop after so many epochs without a lower validation loss; 0: never"
    )
    checkpoint_every: Annotated[int, Runtime] = Field(20, ge=1, description="steps between checkpoints")

    @model_validator(mode="after")
    def _check_patience(self) -> Self:
        if self.patience and self.keep != "best":
            raise ValueError("patience needs `keep: best`, as only then the loss on validation rows is measured")
        return self


class TrainingArgs(_TrainingFields):
    """Training hyperparameters, read by every objective."""

    epochs: float = Field(2, gt=0, description="passes over the training rows")
    batch_size: int = Field(16, ge=1, description="rows per step")


class TrainBlock(_TrainingFields):
    """The `train` block of a spec: hyperparameters, some of which may be left to the rows."""

    epochs: Annotated[float, Field(gt=0)] | Auto = Field(
        "auto", description="passes over the training rows; auto for as many as give the task's usual number of steps"
    )
    batch_size: Annotated[int, Field(ge=1)] | Auto = Field(
        "auto", description="rows per step; auto for the task's usual number, or fewer if rows or memory are few"
    )
