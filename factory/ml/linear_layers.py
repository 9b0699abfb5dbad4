"""The linear layers of a base that get low-rank updates."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.pytorch_utils import Conv1D

Targets = Literal["all-linear"] | Collection[str]
"""`all-linear`, or the ends of names of layers, such as `q_proj` or `self_attn.q_proj`."""


def find_target_layers(model: nn.Module, targets: Targets, excluded: Collection[str]) -> list[str]:
    """Return the names of the linear layers that match `targets`, in order, but none in a module of `excluded`.

    Raises ValueError if a target matches no layer: a misspelt one would be trained by nobody.
    """
    linear = [
        name for name, module in model.named_modules()
        if isinstance(module, (nn.Linear, Conv1D)) and not {*excluded} & {*name.split(".")}
    ]
    if targets == "all-linear":
        return linear
    for target in targets:
        if not any(_is_named(name, target) for name in linear):
            known = ", ".join(sorted({name.rpartition(".")[2] for name in linear}))
            raise ValueError(f"adapter.targets: the base has no linear layer {target!r}; it has {known}")
    return [name for name in linear if any(_is_named(name, target) for target in targets)]


def find_output_head(model: Any) -> str:
    """Return the name of the language-model head."""
    return next(str(name) for name, module in model.named_modules() if module is model.get_output_embeddings())


def count_rank_parameters(folder: Path, targets: Targets) -> int:
    """Return the parameters of an update of rank 1 of a causal base: the inputs and outputs of each layer."""
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(folder))
    layers = find_target_layers(model, targets, (find_output_head(model),))
    return sum(sum(model.get_submodule(name).weight.shape) for name in layers)


def _is_named(name: str, target: str) -> bool:
    return f".{name}".endswith(f".{target}")
