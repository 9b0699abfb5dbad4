"""RMS norm (arXiv:1910.07467) as one autograd function, whose backward pass needs two activations instead of seven."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class _RmsNormFunction(torch.autograd.Function):
    """x / rms(x) · weight, computed in fp32; with a gradient of the weight unless it is frozen."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, epsilon: float) -> Tensor:
        wide = x.float()
        size = torch.linalg.vector_norm(wide, dim=-1, keepdim=True)  # no squared copy of x
        scale = torch.rsqrt(size * size / x.shape[-1] + epsilon)
        normed = (wide * scale).to(x.dtype)
        ctx.save_for_backward(normed, scale, weight)
        return normed * weight

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        normed, scale, weight = ctx.saved_tensors
        own = (grad * normed).flatten(0, -2).sum(0) if ctx.needs_input_grad[1] else None
        grad = grad * weight
        # d(x / rms)/dx projects the gradient off the direction of the normalised vector.
        share = (grad * normed).float().mean(-1, keepdim=True)
        return grad.float().addcmul_(normed.float(), share, value=-1).mul_(scale).to(grad.dtype), own, None


class RmsNorm(nn.Module):
    """Replaces transformers' RMS norms of the Llama form; shares their weight."""

    def __init__(self, norm: Any) -> None:
        super().__init__()
        self.weight, self.epsilon = norm.weight, float(norm.variance_epsilon)

    def forward(self, x: Tensor) -> Tensor:
        """(…, width) → (…, width)."""
        output: Tensor = _RmsNormFunction.apply(x, self.weight, self.epsilon)  # type: ignore[no-untyped-call]
        return output


def replace_norms(model: nn.Module) -> None:
    """Replace the norms of this form in a model by `RmsNorm`; parameter names do not change."""
    for name, module in list(model.named_modules()):
        if type(module).__name__.endswith("RMSNorm") and hasattr(module, "variance_epsilon"):
            parent, _, leaf = name.rpartition(".")
            setattr(model.get_submodule(parent), leaf, RmsNorm(module))
