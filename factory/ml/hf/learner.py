"""A model with new adapters of the PEFT library, to be trained on padded batches."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from peft import LoraConfig, get_peft_model_state_dict, inject_adapter_in_model
from peft.tuners.lora import LoraLayer
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from factory.api import Adapter
from factory.ml.trainer import train_modules_in_fp32


@dataclass(frozen=True, slots=True)
class PeftLearner:
    """A model with new adapters in training mode, those of the PEFT library."""

    model: nn.Module
    tokenizer: Any
    modules_to_save: tuple[str, ...]

    def list_adapted_layers(self) -> list[str]:
        """Return the names of the layers with an adapter."""
        return [name for name, module in self.model.named_modules() if isinstance(module, LoraLayer)]

    def count_parameters(self) -> int:
        """Return the number of parameters, those of the adapters included."""
        return sum(parameter.numel() for parameter in self.model.parameters())

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
    model: nn.Module, adapter: Adapter, modules_to_save: tuple[str, ...], *, frozen_modules: tuple[str, ...] = ()
) -> None:
    """Freeze a model and put an adapter on every linear layer, in place.

    `modules_to_save` get no adapter and train in fp32; `frozen_modules` get no adapter and stay frozen. The adapters
    are drawn in the order of the layers, so that a seed gives those of the packed kernels.
    """
    excluded = {*modules_to_save, *frozen_modules}
    linear = [
        name for name, module in model.named_modules()
        if isinstance(module, (nn.Linear, Conv1D)) and not excluded & {*name.split(".")}
    ]
    config = LoraConfig(r=adapter.rank, lora_alpha=adapter.alpha, lora_dropout=adapter.dropout, target_modules=linear)
    with torch.random.fork_rng(devices=[]):  # PEFT draws more numbers than it keeps
        inject_adapter_in_model(config, model)
    for name in linear:
        layer: Any = model.get_submodule(name)
        for part in (layer.lora_A["default"], layer.lora_B["default"]):
            part.weight.data = part.weight.data.float()  # PEFT gives them the dtype of the base
        nn.init.kaiming_uniform_(layer.lora_A["default"].weight, a=math.sqrt(5))
    train_modules_in_fp32(model, modules_to_save)
