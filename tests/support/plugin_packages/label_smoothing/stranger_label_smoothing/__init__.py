"""An objective with a loss of its own: label smoothing, so that a small model is less sure of what it copied."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from factory.api import CausalLMObjective, Plugin, hookimpl

if TYPE_CHECKING:
    from torch import Tensor


class Smoothed(CausalLMObjective):
    """Prompt and answer by smoothed cross-entropy (Szegedy et al. 2016): each token shares some weight with all."""

    kind = "smoothed"
    contract = 2

    smoothing: float = Field(0.1, ge=0, lt=1, description="share of a token's weight that goes to all tokens alike")

    def compute_loss(self, logits: Tensor, tokens: Tensor) -> Tensor:
        from torch.nn import functional

        return functional.cross_entropy(logits, tokens, label_smoothing=self.smoothing)


@hookimpl
def factory_plugins() -> list[type[Plugin]]:
    """The objective."""
    return [Smoothed]
