"""Low-rank adapters (LoRA, arXiv:2106.09685) on every linear layer of a frozen model.

A layer keeps its frozen weight W in fp32 and a resident sum W + (alpha / rank) B A in the working precision, brought
up to date once a step: the forward pass is then one plain matrix product, however many chunks a batch has, and the
backward pass computes the gradients of A and B alone. They equal PEFT's to rounding.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from factory.api import Adapter


class _Summed(torch.autograd.Function):
    """x W' + b with W' = W + s B A, whose gradients reach x, A and B but never W."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, a: Tensor, b: Tensor, summed: Tensor, bias: Tensor | None, scale: float
    ) -> Tensor:
        ctx.save_for_backward(x, a, b, summed)
        ctx.scale = scale
        return functional.linear(x, summed, bias)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, a, b, summed = ctx.saved_tensors
        inputs, outputs = x.reshape(-1, x.shape[-1]), grad.reshape(-1, grad.shape[-1])
        low = inputs @ a.to(inputs.dtype).t()
        low_grad = outputs @ b.to(outputs.dtype)
        grad_b = (outputs.t() @ low).float().mul_(ctx.scale)
        grad_a = (low_grad.t() @ inputs).float().mul_(ctx.scale)
        grad_x = (outputs @ summed).view(x.shape) if ctx.needs_input_grad[0] else None
        return grad_x, grad_a, grad_b, None, None, None


class LoraLinear(nn.Module):
    """A frozen linear layer with a trainable low-rank update; A (rank, in) and B (out, rank) are fp32 masters."""

    weight: Tensor
    summed: Tensor
    bias: Tensor | None

    def __init__(self, linear: nn.Linear, adapter: Adapter, dtype: torch.dtype) -> None:
        super().__init__()
        self.scale = adapter.alpha / adapter.rank
        self.lora_A = nn.Parameter(torch.empty(adapter.rank, linear.in_features))
        self.lora_B = nn.Parameter(torch.zeros(linear.out_features, adapter.rank))
        nn.init.kaiming_uniform_(self.lora_A, a=math.sqrt(5))
        self.dropout = adapter.dropout
        frozen = linear.weight.detach()
        self.register_buffer("weight", frozen.float(), persistent=False)
        self.register_buffer("summed", frozen.to(dtype, copy=True), persistent=False)
        bias = None if linear.bias is None else linear.bias.detach().to(dtype)
        self.register_buffer("bias", bias, persistent=False)

    @torch.no_grad()
    def refresh(self) -> None:
        """Bring the resident sum up to date with A and B."""
        self.summed.copy_(torch.addmm(self.weight, self.lora_B, self.lora_A, alpha=self.scale))

    def forward(self, x: Tensor) -> Tensor:
        """(…, in) → (…, out)."""
        if self.training and self.dropout:
            return self._dropped(x)
        return _Summed.apply(x, self.lora_A, self.lora_B, self.summed, self.bias, self.scale)  # type: ignore[no-any-return, no-untyped-call]

    def _dropped(self, x: Tensor) -> Tensor:
        """As PEFT does it: dropout before A, so the update can not be summed into the weight."""
        low = functional.dropout(x, self.dropout) @ self.lora_A.to(x.dtype).t()
        update = low @ self.lora_B.to(x.dtype).t() * self.scale
        return functional.linear(x, self.weight.to(x.dtype), self.bias) + update


def attach(
    model: nn.Module, adapter: Adapter, dtype: torch.dtype, heads: tuple[str, ...] = ()
) -> dict[str, LoraLinear]:
    """Freeze a model, put an adapter on every linear layer outside `heads`, and hold the rest in `dtype`.

    Heads stay fp32 and trainable. Returns the adapted layers by their name in the model.
    """
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    adapted: dict[str, LoraLinear] = {}
    for name, linear in list(model.named_modules()):
        if isinstance(linear, nn.Linear) and not any(part in name.split(".") for part in heads):
            parent, _, leaf = name.rpartition(".")
            adapted[name] = LoraLinear(linear, adapter, dtype)
            setattr(model.get_submodule(parent), leaf, adapted[name])
    for head in heads:
        model.get_submodule(head).register_forward_pre_hook(_full_precision)
    for name, parameter in model.named_parameters():
        if any(part in name.split(".") for part in heads):
            parameter.requires_grad_(True)
        elif not parameter.requires_grad:
            parameter.data = parameter.data.to(dtype)
    return adapted


def _full_precision(_: nn.Module, arguments: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """What a head reads, in the precision of its own weights."""
    return tuple(argument.float() for argument in arguments)
