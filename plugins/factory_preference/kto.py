"""Kahneman–Tversky optimisation: single answers, each with a thumb up or down."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import Field

from factory.api import Decoder, Row, Task
from factory_preference.preference_objective import JudgedPrompt, PreferenceObjective

if TYPE_CHECKING:
    from torch import Tensor


class KTO(PreferenceObjective):
    """Kahneman–Tversky optimisation (arXiv:2402.01306) on rows whose answer is `good` or not, without pairs.

    The model's drift from the one that it started from is estimated, as in TRL, on each prompt with the answer of the
    row before it; it moves the point from which an answer counts as gained or lost. Decoding is greedy. Loads as a
    PEFT adapter over a causal base.
    """

    kind = "kto"
    columns = ("good",)

    desirable_weight: float = Field(1.0, gt=0, le=100, description="weight of the losses of good answers")
    undesirable_weight: float = Field(1.0, gt=0, le=100, description="weight of the losses of bad answers")

    def build_examples(self, rows: Sequence[Row], task: Task, decoder: Decoder) -> list[JudgedPrompt]:
        targets = [task.render_target(row) for row in rows]
        examples = []
        for number, row in enumerate(rows):  # before the first row comes the last one
            prompt, own, other = self.tokenize_judged(row, task, decoder, (targets[number], targets[number - 1]))
            examples.append(JudgedPrompt(prompt, (own, other), good=bool(row["good"])))
        return examples

    def compute_preference_loss(
        self, logprobs: Tensor, reference: Tensor, examples: Sequence[JudgedPrompt]
    ) -> Tensor:
        """Return the mean weighted loss of the rows' own answers."""
        ratios = logprobs - reference
        # The drift is an estimate, not a term to learn: no gradient flows through it, and it is never negative.
        drift = ratios[:, 1].detach().mean().clamp(min=0)
        signs = logprobs.new_tensor([1.0 if example.good else -1.0 for example in examples])
        weights = logprobs.new_tensor([
            self.desirable_weight if example.good else self.undesirable_weight for example in examples
        ])
        losses = 1 - (self.beta * signs * (ratios[:, 0] - drift)).sigmoid()
        return (weights * losses).mean()
