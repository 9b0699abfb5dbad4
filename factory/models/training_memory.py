"""How much memory a training takes at its peak, from the shape of the base alone: weights, optimiser, activations.

Parameters × precision, Adam's two moments and the gradient for what is trained (Rajbhandari et al. 2020, ZeRO, section
3.1), and what a layer keeps of each token for the backward pass, counted tensor by tensor as Korthikanti et al. (2022,
section 4.1) do, for attention by blocks. `benchmarks/training_memory.py` holds the estimates against measured peaks.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

from factory.models.token_memory import read_config

TrainingMethod = Literal["lora", "qlora", "full", "head"]
GIB = 2**30
LIBRARIES = 0.6 * GIB
"""A process that has imported torch, transformers and peft: 530 to 610 MiB measured."""
TRAINED_BYTES = 16
"""Of a trained parameter: the fp32 weight, its gradient, and the two moments of Adam."""
NF4_BYTES = 0.5 + 0.0159
"""Of a weight in NF4: 4 bits, and its share of the block scales, doubly quantised (Dettmers et al. 2023, section 3)."""
OVERHEAD = 1.35
"""Measured activations over counted ones: gradients at hand, copies between layouts, and what the allocator keeps."""
FP32_BYTES = 4
NORM_STEPS = 4
"""Further tensors of the width of the model that the norms of a block keep, where each of their steps is an operation
of its own, as in transformers."""
LOGIT_COPIES = 2
"""Of the logits of an answer token, in fp32: themselves and their gradient."""


@dataclass(frozen=True, slots=True)
class ModelShape:
    """What a configuration says of a transformer's size."""

    layers: int
    width: int
    intermediate: int
    vocabulary: int
    heads: int
    key_value_heads: int
    head_size: int
    gated: bool = True
    """Whether the feed-forward part multiplies two projections, as in Llama; BERT has one."""
    tied: bool = True
    """Whether the output embeddings are those of the input."""

    @property
    def key_value_width(self) -> int:
        return self.key_value_heads * self.head_size

    def list_linear_shapes(self) -> list[tuple[int, int]]:
        """Return (in, out) of each linear layer of a block."""
        query = self.heads * self.head_size
        attention = [(self.width, query), *[(self.width, self.key_value_width)] * 2, (query, self.width)]
        ups = [(self.width, self.intermediate)] * (2 if self.gated else 1)
        return [*attention, *ups, (self.intermediate, self.width)]

    @property
    def linear_parameters(self) -> int:
        """Weights of all blocks, which are what is adapted, and quantised."""
        return self.layers * sum(inputs * outputs for inputs, outputs in self.list_linear_shapes())

    @property
    def parameters(self) -> int:
        return self.linear_parameters + self.vocabulary * self.width * (1 if self.tied else 2)

    def count_adapter_parameters(self, rank: int) -> int:
        """Return the parameters of low-rank updates of all linear layers of the blocks."""
        return self.layers * sum(rank * (inputs + outputs) for inputs, outputs in self.list_linear_shapes())

    def count_kept_numbers(self) -> int:
        """Return the numbers that a block keeps of a token: inputs of norms and projections, queries, keys and values
        before and after rotation, and the parts of the feed-forward product."""
        feed_forward = (4 if self.gated else 2) * self.intermediate
        return 8 * self.width + 4 * self.key_value_width + feed_forward


@dataclass(frozen=True, slots=True)
class TrainingMemory:
    """The peak of a training in bytes, by what takes them."""

    libraries: float
    weights: float
    trained: float
    activations: float
    logits: float

    @property
    def total(self) -> float:
        return float(sum(getattr(self, part.name) for part in fields(self)))


@dataclass(frozen=True, slots=True)
class TrainingSize:
    """What is trained, and on how much at once: `tokens` of a step, of which `answer_tokens` have a loss.

    `number_bytes` are those of a weight at work and of an activation: 4 in fp32, 2 in bf16. `kept_bytes` are those of a
    second copy of the frozen weights, which the packed kernels keep beside the merged ones. With `plain`, the layers
    are those of transformers and PEFT: norms keep their steps in fp32, and adapters their inputs. With `checkpointing`
    only the input of each block is kept, and one block at a time is computed again.
    """

    method: TrainingMethod = "lora"
    tokens: int = 0
    answer_tokens: int = 0
    rank: int = 32
    number_bytes: int = 4
    kept_bytes: int = 0
    plain: bool = False
    checkpointing: bool = False


def read_model_shape(model: Path) -> ModelShape | None:
    """Return the shape of the model in a folder; None where its configuration does not say it."""
    config = read_config(model)
    try:
        width, heads = int(config["hidden_size"]), int(config["num_attention_heads"])
        return ModelShape(
            layers=int(config["num_hidden_layers"]), width=width, intermediate=int(config["intermediate_size"]),
            vocabulary=int(config["vocab_size"]), heads=heads,
            key_value_heads=int(config.get("num_key_value_heads") or heads),
            head_size=int(config.get("head_dim") or width // heads),
            gated=_is_gated(config), tied=bool(config.get("tie_word_embeddings", True)),
        )
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None


def _is_gated(config: dict[str, Any]) -> bool:
    """Return whether the feed-forward part is gated: models with SiLU are, and those of GELU by their name alone."""
    activation = str(config.get("hidden_act") or config.get("hidden_activation") or "")
    return activation == "silu" or str(config.get("model_type", "")).startswith(("gemma", "modernbert"))


def explain_misfit(shape: ModelShape, size: TrainingSize, limit: float) -> str:
    """Return why a training cannot fit into so many bytes, however short its texts, and what would; "" if it can."""
    least = estimate_training_memory(shape, replace(size, tokens=0, answer_tokens=0)).total
    if least <= limit:
        return ""
    smaller = {
        "lora": TrainingSize("lora", rank=size.rank, number_bytes=2),
        "qlora": TrainingSize("qlora", rank=8, number_bytes=2),
    }
    peaks = {name: estimate_training_memory(shape, other).total for name, other in smaller.items()}
    fitting = [f"`adapter.kind: {name}` takes {peak / GIB:.1f}" for name, peak in peaks.items() if peak <= limit]
    remedy = " and ".join(fitting) or "train a smaller base, or on a larger machine"
    what = f"{size.method} of {shape.parameters / 1e9:.2g} billion parameters"
    return f"training does not fit: {what} takes at least {least / GIB:.1f} GiB of {limit / GIB:.1f}; {remedy}"


def estimate_training_memory(shape: ModelShape, size: TrainingSize) -> TrainingMemory:
    """Estimate the peak of a training; within 20 % of what is measured for small bases."""
    linear, others = shape.linear_parameters, shape.parameters - shape.linear_parameters
    if size.method == "full":
        weights, trained = 0.0, float(shape.parameters * TRAINED_BYTES)
    else:
        at_work = NF4_BYTES if size.method == "qlora" else size.number_bytes
        weights = linear * (at_work + size.kept_bytes) + others * size.number_bytes
        rank = 0 if size.method == "head" else size.rank
        trained = float(shape.count_adapter_parameters(rank) * TRAINED_BYTES)
    logits = float(LOGIT_COPIES * FP32_BYTES * shape.vocabulary * size.answer_tokens)
    return TrainingMemory(LIBRARIES, weights, trained, _count_activation_bytes(shape, size), logits)


def _count_activation_bytes(shape: ModelShape, size: TrainingSize) -> float:
    """Return the bytes that the backward pass needs; a frozen base under a head keeps one block's at a time."""
    kept = OVERHEAD * shape.count_kept_numbers() * size.number_bytes
    if size.plain:
        kept += OVERHEAD * NORM_STEPS * shape.width * FP32_BYTES
        if size.method in ("lora", "qlora") and size.number_bytes < FP32_BYTES:
            kept += FP32_BYTES * sum(inputs for inputs, _ in shape.list_linear_shapes())
    block = kept * size.tokens
    if size.method == "head":
        return block
    if size.checkpointing:
        return block + shape.layers * shape.width * size.number_bytes * size.tokens
    return block * shape.layers
