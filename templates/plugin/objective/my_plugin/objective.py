"""Another loss: the focal loss, which looks away from what the model knows already."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from factory.api import CausalLMObjective

if TYPE_CHECKING:
    from torch import Tensor


class MyPlugin(CausalLMObjective):
    """Prompt and answer by the focal loss (Lin et al. 2017, arXiv:1708.02002): a token counts (1 - p) to the gamma."""

    kind = "my-plugin"
    contract = 1

    gamma: float = Field(2.0, ge=0, le=10, description="how fast a token loses weight as it is known; 0 for none")

    def compute_loss(self, logits: Tensor, tokens: Tensor) -> Tensor:
        # Heavy libraries are imported where they are needed: `factory check` must not wait for torch.
        from torch.nn import functional

        each = functional.cross_entropy(logits, tokens, reduction="none")
        return ((1 - (-each).exp()) ** self.gamma * each).mean()
