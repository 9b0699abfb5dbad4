"""A model with new adapters of the PEFT library, to be trained on padded batches."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from peft import LoraConfig, get_peft_model_state_dict, inject_adapter_in_model
from peft.tuners.lora import LoraLayer
from torch import Tensor, nn

from factory.api import Adapter
from factory.ml.linear_layers import find_target_layers
from factory.ml.trainer import train_modules_in_fp32


@dataclass(frozen=True, slots=True)
class PeftLearner:
    """A model with new adapters in training mode, those of the PEFT library."""

    model: nn.Module
    tokenizer: Any
    modules_to_save: tuple[str, ...]
    word_ids: tuple[int, ...] = ()

    def list_adapted_layers(self) -> list[str]:
        """Return the names of the layers with an adapter."""
        return [name for name, module in self.model.named_modules() if isinstance(module, LoraLayer)]

    def count_parameters(self) -> int:
        """Return the number of parameters, those of the adapters included."""
        # A byte holds two weights of a 4-bit layer, which knows its shape.
        states = ((parameter, getattr(parameter, "quant_state", None)) for parameter in self.model.parameters())
        return sum(state.shape.numel() if state is not None else parameter.numel() for parameter, state in states)

    def begin_step(self) -> None:
        """Do nothing: PEFT's layers read their parameters in each forward pass."""

    def collect_adapter_tensors(self) -> dict[str, Tensor]:
        """Return the trained tensors by their names in PEFT's format, but without PEFT's prefix."""
        saved = {
            name: value.detach() for name, value in self.model.named_parameters()
            if set(name.split(".")) & set(self.modules_to_save)
        }
        return {**get_peft_model_state_dict(self.model, save_embedding_layers=False), **saved}


def attach_peft_adapters(
    model: nn.Module, adapter: Adapter, modules_to_save: tuple[str, ...], *, frozen_modules: tuple[str, ...] = (),
    word_ids: Sequence[int] = (),
) -> None:
    """Freeze a model and put an adapter on its target layers, in place.

    `modules_to_save` get no adapter and train in fp32; `frozen_modules` get no adapter and stay frozen; the embeddings
    of `word_ids` train too, and with them the rows of a language-model head that is tied to them. The adapters are
    drawn in the order of the layers, so that a seed gives those of the packed kernels.
    """
    linear = find_target_layers(model, adapter.targets, {*modules_to_save, *frozen_modules})
    config = LoraConfig(
        r=adapter.rank, lora_alpha=adapter.alpha, lora_dropout=adapter.dropout, target_modules=linear,
        use_rslora=adapter.rslora, use_dora=adapter.dora, trainable_token_indices=list(word_ids) or None,
    )
    with torch.random.fork_rng(devices=[]):  # PEFT draws more numbers than it keeps
        inject_adapter_in_model(config, model)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()  # PEFT gives new ones the dtype of the base
    for name in linear:
        layer: Any = model.get_submodule(name)
        nn.init.kaiming_uniform_(layer.lora_A["default"].weight, a=math.sqrt(5))
    train_modules_in_fp32(model, modules_to_save)
