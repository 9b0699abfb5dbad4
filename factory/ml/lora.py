"""Low-rank adapters (LoRA, arXiv:2106.09685) on every linear layer of a frozen model.

A layer keeps its frozen weight W in fp32 and a resident sum W + (alpha / rank) B A in the working precision, brought
up to date once a step: the forward pass is then one plain matrix product, however many chunks a batch has, and the
backward pass computes the gradients of A and B alone. They equal PEFT's to rounding. Layers that read the same input
(query, key and value) are stacked into one product.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from factory.api import Adapter

SIBLING_LAYERS = (("query", "key", "value"), ("q_proj", "k_proj", "v_proj"), ("gate_proj", "up_proj"))
"""Names under which a parent holds layers that read the same input."""


class _StackedLoraFunction(torch.autograd.Function):
    """x W' + b for stacked layers W' = W + s B A, whose gradients reach x, every A and every B but never W."""

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
        low_grad = _concatenate_tensors([part @ up.to(part.dtype) for part, up in zip(parts, ups, strict=True)], 1)
        grad_downs = torch.split((low_grad.t() @ inputs).float().mul_(ctx.scale), ranks)
        lows = zip(parts, torch.split(low, ranks, 1), strict=True)
        grad_ups = [(part.t() @ mine).float().mul_(ctx.scale) for part, mine in lows]
        grad_x = (outputs @ summed).view(x.shape) if ctx.needs_input_grad[0] else None
        return grad_x, None, None, None, *chain.from_iterable(zip(grad_downs, grad_ups, strict=True))


def _concatenate_tensors(tensors: Sequence[Tensor], dimension: int) -> Tensor:
    return tensors[0] if len(tensors) == 1 else torch.cat(list(tensors), dimension)


class LoraLinear(nn.Module):
    """A frozen linear layer with a trainable low-rank update; A (rank, in) and B (out, rank) are fp32 masters."""

    weight: Tensor
    bias: Tensor | None

    def __init__(self, linear: nn.Linear, adapter: Adapter, dtype: torch.dtype) -> None:
        super().__init__()
        self.scale, self.dropout, self.dtype = adapter.alpha / adapter.rank, adapter.dropout, dtype
        self.lora_A = nn.Parameter(torch.empty(adapter.rank, linear.in_features))
        self.lora_B = nn.Parameter(torch.zeros(linear.out_features, adapter.rank))
        nn.init.kaiming_uniform_(self.lora_A, a=math.sqrt(5))
        self.register_buffer("weight", linear.weight.detach().float(), persistent=False)
        bias = None if linear.bias is None else linear.bias.detach().to(dtype)
        self.register_buffer("bias", bias, persistent=False)
        self.stack = LoraStack([self])

    def forward(self, x: Tensor) -> Tensor:
        """(…, in) → (…, out)."""
        return self._forward_with_dropout(x) if self.training and self.dropout else self.stack(self, x)

    def _forward_with_dropout(self, x: Tensor) -> Tensor:
        """As PEFT does it: dropout before A, so the update can not be summed into the weight."""
        low = functional.dropout(x, self.dropout) @ self.lora_A.to(x.dtype).t()
        update = low @ self.lora_B.to(x.dtype).t() * self.scale
        return functional.linear(x, self.weight.to(x.dtype), self.bias) + update


class LoraStack:
    """Layers that read the same input: the first one asked computes for all, the others take their part."""

    def __init__(self, layers: list[LoraLinear]) -> None:
        self.layers = layers
        self.merged_weight = torch.empty(0)
        self.bias: Tensor | None = None
        self._input: Tensor | None = None
        self._parts: dict[LoraLinear, Tensor] = {}

    @torch.no_grad()
    def refresh(self) -> None:
        """Bring the resident sum up to date with every A and B."""
        first = self.layers[0]
        sizes = [len(layer.weight) for layer in self.layers]
        if self.merged_weight.device != first.weight.device or not len(self.merged_weight):
            self.merged_weight = first.weight.new_empty(sum(sizes), first.weight.shape[1], dtype=first.dtype)
            biases = [layer.bias for layer in self.layers if layer.bias is not None]
            self.bias = torch.cat(biases) if biases else None
        for layer, part in zip(self.layers, torch.split(self.merged_weight, sizes), strict=True):
            part.copy_(torch.addmm(layer.weight, layer.lora_B, layer.lora_A, alpha=layer.scale))

    def __call__(self, layer: LoraLinear, x: Tensor) -> Tensor:
        """The output of one layer of the stack for x."""
        if self._input is not x or layer not in self._parts:
            updates = chain.from_iterable((one.lora_A, one.lora_B) for one in self.layers)
            made: Tensor = _StackedLoraFunction.apply(x, self.merged_weight, self.bias, layer.scale, *updates)  # type: ignore[no-untyped-call]
            sizes = [len(one.weight) for one in self.layers]
            self._input, self._parts = x, dict(zip(self.layers, torch.split(made, sizes, -1), strict=True))
        part = self._parts.pop(layer)
        if not self._parts:
            self._input = None
        return part


def attach_lora(
    model: nn.Module, adapter: Adapter, dtype: torch.dtype, heads: tuple[str, ...] = (), *, bare: tuple[str, ...] = ()
) -> dict[str, LoraLinear]:
    """Freeze a model, put an adapter on every linear layer outside `heads` and `bare`, and hold the rest in `dtype`.

    Heads stay fp32 and trainable, what is bare stays frozen. Returns the adapted layers by their name in the model.
    """
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    adapted: dict[str, LoraLinear] = {}
    for name, linear in list(model.named_modules()):
        if isinstance(linear, nn.Linear) and not {*heads, *bare} & {*name.split(".")}:
            parent, _, leaf = name.rpartition(".")
            adapted[name] = LoraLinear(linear, adapter, dtype)
            setattr(model.get_submodule(parent), leaf, adapted[name])
    for name, module in model.named_modules():
        if name.rpartition(".")[2] in heads:
            module.register_forward_pre_hook(_cast_head_inputs)
    for name, parameter in model.named_parameters():
        if any(part in name.split(".") for part in heads):
            parameter.requires_grad_(True)
        elif not parameter.requires_grad:
            parameter.data = parameter.data.to(dtype)
    _stack_sibling_layers(adapted)
    return adapted


def _stack_sibling_layers(adapted: dict[str, LoraLinear]) -> None:
    """Let layers of one parent that read the same input share a stack."""
    for parent in dict.fromkeys(name.rpartition(".")[0] for name in adapted):
        for names in SIBLING_LAYERS:
            layers = [adapted[f"{parent}.{name}"] for name in names if f"{parent}.{name}" in adapted]
            alike = len({layer.bias is None for layer in layers}) == 1
            if len(layers) == len(names) and alike:
                shared = LoraStack(layers)
                for layer in layers:
                    layer.stack = shared


def _cast_head_inputs(_: nn.Module, arguments: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """What a head reads, in the precision of its own weights."""
    return tuple(argument.float() for argument in arguments)
