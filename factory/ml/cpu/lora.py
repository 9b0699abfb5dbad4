"""Low-rank adapters (LoRA, arXiv:2106.09685) on every linear layer of a frozen model.

A layer keeps its frozen weight W in the dtype of the base's file and the merged weight W + (alpha / rank) B A, summed
in fp32, in the working precision, refreshed once per step. The forward pass is then one matrix product, however many
chunks a batch has; the backward pass computes only the gradients of A and B, equal to PEFT's up to rounding. Layers
with the same input (query, key and value) are stacked into one product.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from factory.api import Adapter
from factory.ml.checkpoints import collect_trainable_parameters
from factory.ml.linear_layers import find_target_layers
from factory.ml.trainer import train_modules_in_fp32

SIBLING_LAYERS = (("query", "key", "value"), ("q_proj", "k_proj", "v_proj"), ("gate_proj", "up_proj"))
"""Names of sibling layers that read the same input."""


class _StackedLoraFunction(torch.autograd.Function):
    """x W' + b for stacked layers W' = W + s B A; gradients flow to x, every A and every B, never to W."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, summed: Tensor, bias: Tensor | None, scale: float, *updates: Tensor) -> Tensor:
        ctx.save_for_backward(x, summed, *updates)
        ctx.scale = scale
        return functional.linear(x, summed, bias)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, summed, *updates = ctx.saved_tensors
        downs, ups = updates[::2], updates[1::2]
        inputs, outputs = x.reshape(-1, x.shape[-1]), grad.reshape(-1, grad.shape[-1])
        low = inputs @ _concatenate_tensors(downs, 0).to(inputs.dtype).t()
        parts = torch.split(outputs, [len(up) for up in ups], 1)
        ranks = [len(down) for down in downs]
        # dL/dA = s (g B)ᵀ x and dL/dB = s gᵀ (x Aᵀ): the full-size gradient of W is never formed.
        low_grad = _concatenate_tensors([part @ up.to(part.dtype) for part, up in zip(parts, ups, strict=True)], 1)
        grad_downs = torch.split((low_grad.t() @ inputs).float().mul_(ctx.scale), ranks)
        lows = zip(parts, torch.split(low, ranks, 1), strict=True)
        grad_ups = [(part.t() @ low_part).float().mul_(ctx.scale) for part, low_part in lows]
        grad_x = (outputs @ summed).view(x.shape) if ctx.needs_input_grad[0] else None
        return grad_x, None, None, None, *chain.from_iterable(zip(grad_downs, grad_ups, strict=True))


def _concatenate_tensors(tensors: Sequence[Tensor], dimension: int) -> Tensor:
    return tensors[0] if len(tensors) == 1 else torch.cat(list(tensors), dimension)


class LoraLinear(nn.Module):
    """A frozen linear layer with a trainable low-rank update: A (rank, in) and B (out, rank), both fp32."""

    weight: Tensor
    bias: Tensor | None

    def __init__(self, linear: Any, adapter: Adapter, dtype: torch.dtype) -> None:
        super().__init__()
        self.scale, self.dropout, self.dtype = adapter.scale, adapter.dropout, dtype
        self.lora_A = nn.Parameter(torch.empty(adapter.rank, linear.in_features))
        self.lora_B = nn.Parameter(torch.zeros(linear.out_features, adapter.rank))
        nn.init.kaiming_uniform_(self.lora_A, a=math.sqrt(5))  # as PEFT; B is 0, so that training starts at the base
        self.register_buffer("weight", linear.weight.detach(), persistent=False)
        bias = None if linear.bias is None else linear.bias.detach().to(dtype)
        self.register_buffer("bias", bias, persistent=False)
        self.stack = LoraStack([self])

    def forward(self, x: Tensor) -> Tensor:
        """(…, in) → (…, out)."""
        if not (self.training and self.dropout):
            return self.stack(self, x)
        # Dropout comes before A, as in PEFT, so the update cannot be merged into the weight.
        low = functional.dropout(x, self.dropout) @ self.lora_A.to(x.dtype).t()
        update = low @ self.lora_B.to(x.dtype).t() * self.scale
        return functional.linear(x, self.weight.to(x.dtype), self.bias) + update


class LoraStack:
    """Layers that read the same input: the first one called computes the outputs of all of them."""

    def __init__(self, layers: list[LoraLinear]) -> None:
        self.layers = layers
        self.merged_weight = torch.empty(0)
        self.bias: Tensor | None = None
        self._input: Tensor | None = None
        self._parts: dict[LoraLinear, Tensor] = {}

    @torch.no_grad()
    def refresh(self) -> None:
        """Recompute the merged weight from W, A and B of every layer."""
        first = self.layers[0]
        sizes = [len(layer.weight) for layer in self.layers]
        if self.merged_weight.device != first.weight.device or not len(self.merged_weight):
            self.merged_weight = first.weight.new_empty(sum(sizes), first.weight.shape[1], dtype=first.dtype)
            biases = [layer.bias for layer in self.layers if layer.bias is not None]
            self.bias = torch.cat(biases) if biases else None
        for layer, part in zip(self.layers, torch.split(self.merged_weight, sizes), strict=True):
            # A bf16 weight is exact in fp32: kept in fp32 it would take twice the memory for the same sums.
            part.copy_(torch.addmm(layer.weight.float(), layer.lora_B, layer.lora_A, alpha=layer.scale))

    def __call__(self, layer: LoraLinear, x: Tensor) -> Tensor:
        """Return the output of one layer of the stack for x."""
        if self._input is not x or layer not in self._parts:  # identity: siblings get the same tensor
            updates = chain.from_iterable((sibling.lora_A, sibling.lora_B) for sibling in self.layers)
            stacked: Tensor = _StackedLoraFunction.apply(x, self.merged_weight, self.bias, layer.scale, *updates)  # type: ignore[no-untyped-call]
            sizes = [len(sibling.weight) for sibling in self.layers]
            self._input, self._parts = x, dict(zip(self.layers, torch.split(stacked, sizes, -1), strict=True))
        part = self._parts.pop(layer)
        if not self._parts:
            self._input = None  # all parts are taken: release the activations
        return part


@dataclass(frozen=True, slots=True)
class LoraLearner:
    """A model with new adapters in training mode, and the adapted layers by name."""

    model: nn.Module
    lora_layers: dict[str, LoraLinear]
    tokenizer: Any
    modules_to_save: tuple[str, ...] = ()
    word_ids: tuple[int, ...] = ()

    def list_adapted_layers(self) -> list[str]:
        """Return the names of the layers with an adapter."""
        return list(self.lora_layers)

    def count_parameters(self) -> int:
        """Return the number of parameters, those of the adapters included."""
        adapted = sum(layer.weight.numel() for layer in self.lora_layers.values())  # weights that are buffers now
        return adapted + sum(parameter.numel() for parameter in self.model.parameters())

    def begin_step(self) -> None:
        """Merge the adapters into the weights of the forward pass."""
        for stack in dict.fromkeys(layer.stack for layer in self.lora_layers.values()):
            stack.refresh()

    def collect_adapter_tensors(self) -> dict[str, Tensor]:
        """Return the trained tensors by their names in PEFT's format, but without PEFT's prefix."""
        parameters = collect_trainable_parameters(self.model)
        return {
            f"{name}.weight" if name.endswith((".lora_A", ".lora_B")) else name: value.detach()
            for name, value in parameters.items()
        }


def attach_lora(
    model: nn.Module, adapter: Adapter, dtype: torch.dtype, modules_to_save: tuple[str, ...] = (), *,
    frozen_modules: tuple[str, ...] = (),
) -> dict[str, LoraLinear]:
    """Freeze a model in `dtype` and put an adapter on its target layers; return the adapted layers by name.

    `modules_to_save` get no adapter and train in fp32; `frozen_modules` get no adapter and stay frozen.
    """
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    adapted: dict[str, LoraLinear] = {}
    for name in find_target_layers(model, adapter.targets, {*modules_to_save, *frozen_modules}):
        parent, _, leaf = name.rpartition(".")
        adapted[name] = LoraLinear(model.get_submodule(name), adapter, dtype)
        setattr(model.get_submodule(parent), leaf, adapted[name])
    for parameter in model.parameters():
        if not parameter.requires_grad:
            parameter.data = parameter.data.to(dtype)
    train_modules_in_fp32(model, modules_to_save)
    _stack_sibling_layers(adapted)
    return adapted


def _stack_sibling_layers(adapted: dict[str, LoraLinear]) -> None:
    """Let sibling layers that read the same input share a stack."""
    for parent in dict.fromkeys(name.rpartition(".")[0] for name in adapted):
        for names in SIBLING_LAYERS:
            layers = [adapted[f"{parent}.{name}"] for name in names if f"{parent}.{name}" in adapted]
            if len(layers) == len(names) and len({layer.bias is None for layer in layers}) == 1:
                stack = LoraStack(layers)
                for layer in layers:
                    layer.stack = stack
