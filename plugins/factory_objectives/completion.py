"""Supervised fine-tuning: cross-entropy of the answer's tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from factory.api import CausalLMObjective

if TYPE_CHECKING:
    from torch import Tensor


class Completion(CausalLMObjective):
    """Supervised fine-tuning on prompt and completion, with the base's own chat template.

    Decoding is greedy, constrained by the task's grammar if it has one. Loads as a PEFT adapter over a causal base.
    """

    kind = "completion"

    def compute_loss(self, logits: Tensor, tokens: Tensor) -> Tensor:
        """Return the mean cross-entropy of the batch's answer tokens."""
        from torch.nn import functional

        return functional.cross_entropy(logits, tokens)
