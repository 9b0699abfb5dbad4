"""The `adapter` and `train` blocks of a spec, which objectives read directly."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from factory.api.auto_settings import Auto
from factory.api.spec_block import Fraction, Runtime, SpecBlock, UnkeyedDefault

BackendName = Literal["cpu", "hf"]
BackendChoice = Literal["auto", BackendName]
"""Which code trains and answers: see `factory.ml.backend`."""


AdapterKind = Literal["lora", "qlora", "full", "head"]


class _AdapterFields(SpecBlock):
    kind: Annotated[AdapterKind, UnkeyedDefault] = Field(
        "lora", description="what is trained: lora, low-rank updates of a frozen base (arXiv:2106.09685); qlora, the "
        "same over a base in 4 bits, which saves memory; full, every weight; head, a new head alone",
    )
    alpha: float = Field(32, gt=0, description="the update is scaled by alpha / rank")
    dropout: Fraction = Field(0.0, description="dropout before the update, in training")
    targets: Annotated[Literal["all-linear"] | list[str], UnkeyedDefault] = Field(
        "all-linear", description="ends of the names of the linear layers with an update, such as [q_proj, v_proj]; "
        "all-linear for all but the heads",
    )
    rslora: Annotated[bool, UnkeyedDefault] = Field(
        False, description="scale the update by alpha / sqrt(rank) (rsLoRA, arXiv:2312.03732)"
    )
    dora: Annotated[bool, UnkeyedDefault] = Field(
        False, description="train the length of each output's weights apart from their direction (DoRA, "
        "arXiv:2402.09353); with transformers and peft only (hf), and slower",
    )
    trainable_tokens: Annotated[list[str], UnkeyedDefault] = Field(
        [], description="words with a trained embedding of their own; those that the tokenizer lacks are added to it"
    )
    serve_precision: Annotated[Literal["nf4", "bf16"], UnkeyedDefault] = Field(
        "nf4", description="precision of the base of qlora where it is judged and served: 4 bits, or 16"
    )
    save: Annotated[Literal["fp32", "bf16"], UnkeyedDefault] = Field(
        "fp32", description="precision of the weights that full writes, and that are judged; training is in fp32"
    )

    def list_extras(self) -> dict[str, Any]:
        """Return what a server of the adapter must know beside its rank: the fields that differ from plain LoRA."""
        extras = {"rslora": self.rslora, "dora": self.dora, "trainable_tokens": self.trainable_tokens}
        served = {"serve_precision": self.serve_precision} if self.kind == "qlora" else {}
        return {**{name: value for name, value in extras.items() if value}, **served}

    def find_hf_feature(self) -> str:
        """Return the first field or kind that only transformers and peft can train; empty if the packed kernels can."""
        features = {"qlora": self.kind == "qlora", "dora": self.dora, "trainable_tokens": bool(self.trainable_tokens)}
        return next((name for name, is_set in features.items() if is_set), "")

    @model_validator(mode="after")
    def _check_fields_of_kind(self) -> Self:
        allowed = FIELDS_BY_KIND[self.kind]
        for name, field in type(self).model_fields.items():
            if name not in allowed and getattr(self, name) != field.default:
                takes = f"takes {', '.join(allowed[1:])}" if allowed[1:] else "has no other fields"
                raise ValueError(f"{name} is no field of `kind: {self.kind}`, which {takes}; remove it")
        return self


FIELDS_BY_KIND: dict[AdapterKind, tuple[str, ...]] = {
    "lora": ("kind", "rank", "alpha", "dropout", "targets", "rslora", "dora", "trainable_tokens"),
    "qlora": ("kind", "rank", "alpha", "dropout", "targets", "rslora", "serve_precision"),
    "full": ("kind", "save"),
    "head": ("kind",),
}
"""The fields that each kind of adapter has; all others keep their defaults."""


class Adapter(_AdapterFields):
    """What is trained, read by the kit; the fields of other kinds have their defaults."""

    rank: int = Field(32, ge=1, le=512, description="rank of the low-rank update of each linear layer")

    @property
    def has_low_rank_update(self) -> bool:
        """Whether the base stays as it is, with low-rank updates over it."""
        return self.kind in ("lora", "qlora")

    @property
    def scale(self) -> float:
        """The factor of the update B A."""
        return self.alpha / (self.rank**0.5 if self.rslora else self.rank)


class AdapterBlock(_AdapterFields):
    """The `adapter` block of a spec: what is trained. The rank may be left to the rows."""

    rank: Annotated[int, Field(ge=1, le=512)] | Auto = Field(
        "auto", description="rank of the low-rank update of each linear layer; auto for the smallest power of two from "
        "8 to 256 whose parameters are as many as the tokens of the completions, and for 32 where there are none",
    )


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
    gradient_clip: Annotated[float, UnkeyedDefault] = Field(
        1.0, ge=0, description="norm to which longer gradients are scaled down; 0 leaves them as they are"
    )
    gradient_accumulation: Annotated[int, UnkeyedDefault] = Field(
        1, ge=1, description="parts in which the rows of a step are read, one after another, each with the mean of its "
        "own rows as its loss: less memory; a document is a negative of the queries in its part alone",
    )
    gradient_checkpointing: Annotated[bool, UnkeyedDefault] = Field(
        False, description="compute activations again where gradients need them (arXiv:1604.06174): a fraction of the "
        "memory, for a third more time; with transformers and peft only (hf)",
    )
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
        "(the lowest loss where it was measured)",
    )
    evaluate_every: Annotated[int, UnkeyedDefault] = Field(
        0, ge=0, description="with `keep: best`, measure the loss on validation rows after so many steps; 0: after "
        "each epoch"
    )
    patience: Annotated[int, UnkeyedDefault] = Field(
        0, ge=0, description="with `keep: best`, stop after so many measures without a lower validation loss; 0: never"
    )
    checkpoint_every: Annotated[int, Runtime] = Field(20, ge=1, description="steps between checkpoints")

    @model_validator(mode="after")
    def _check_patience(self) -> Self:
        if self.patience and self.keep != "best":
            raise ValueError("patience needs `keep: best`, as only then the loss on validation rows is measured")
        if self.evaluate_every and self.keep != "best":
            raise ValueError("evaluate_every needs `keep: best`, which chooses by the loss on validation rows")
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
