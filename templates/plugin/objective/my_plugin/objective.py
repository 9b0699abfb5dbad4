"""An objective: the focal loss, which gives less weight to tokens that the model already predicts well."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from factory.api import CausalLMObjective

if TYPE_CHECKING:
    from torch import Tensor


class MyPlugin(CausalLMObjective):
    """Fine-tunes with the focal loss (Lin et al. 2017, arXiv:1708.02002): a token has the weight (1 - p) ** gamma."""

    kind = "my-plugin"
    contract = 2

    gamma: float = Field(2.0, ge=0, le=10, description="how fast the weight falls; 0 is cross-entropy")

    def compute_loss(self, logits: Tensor, tokens: Tensor) -> Tensor:
        # Import heavy libraries inside methods: `factory check` must not wait for torch.
        from torch.nn import functional

        losses = functional.cross_entropy(logits, tokens, reduction="none")
        return ((1 - (-losses).exp()) ** self.gamma * losses).mean()
