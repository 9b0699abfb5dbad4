"""Direct preference optimisation: pairs of a chosen and a rejected answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from factory.api import Decoder, Row, Task
from factory_preference.preference_objective import JudgedPrompt, PreferenceObjective

if TYPE_CHECKING:
    from torch import Tensor


class DPO(PreferenceObjective):
    """Direct preference optimisation (arXiv:2305.18290) on rows with a `rejected` answer beside the right one.

    The model is compared with the one that it started from. Losses as in TRL: `sigmoid` is DPO's own, `ipo` regresses
    the margin per token to 1 / (2 beta) (arXiv:2310.12036), `robust` assumes that a share of the pairs is the wrong way
    round (arXiv:2403.00409). Decoding is greedy. Loads as a PEFT adapter over a causal base.
    """

    kind = "dpo"
    columns = ("rejected",)

    loss: Literal["sigmoid", "ipo", "robust"] = Field("sigmoid", description="loss on a pair")
    label_smoothing: float = Field(
        0.0, ge=0, lt=0.5, description="share of pairs that are taken to be the wrong way round, for `loss: robust`"
    )
    sft_weight: float = Field(
        0.0, ge=0, le=100, description="weight of the chosen answers' mean cross-entropy per token, added to the loss"
    )

    @model_validator(mode="after")
    def _check_label_smoothing(self) -> DPO:
        if (self.loss == "robust") != (self.label_smoothing > 0):
            raise ValueError("`loss: robust` needs a label_smoothing above 0, and no other loss has one")
        return self

    def build_examples(self, rows: Sequence[Row], task: Task, decoder: Decoder) -> list[JudgedPrompt]:
        examples = []
        for row in rows:
            texts = (task.render_target(row), str(row["rejected"]))
            prompt, chosen, rejected = self.tokenize_judged(row, task, decoder, texts)
            examples.append(JudgedPrompt(prompt, (chosen, rejected)))
        return examples

    def compute_preference_loss(
        self, logprobs: Tensor, reference: Tensor, examples: Sequence[JudgedPrompt]
    ) -> Tensor:
        """Return the mean loss of pairs, plus the weighted cross-entropy of the chosen answers' tokens."""
        lengths = logprobs.new_tensor([[len(answer) for answer in example.answers] for example in examples])
        loss = self.compute_pair_losses(logprobs - reference, lengths).mean()
        if self.sft_weight:
            loss = loss - self.sft_weight * logprobs[:, 0].sum() / lengths[:, 0].sum()
        return loss

    def compute_pair_losses(self, ratios: Tensor, lengths: Tensor) -> Tensor:
        """Return the loss of each pair (pairs,) from the log-ratios to the reference and the numbers of tokens of the
        chosen and rejected answers, both (pairs, 2)."""
        from torch.nn.functional import logsigmoid

        if self.loss == "ipo":
            per_token = ratios / lengths
            return (per_token[:, 0] - per_token[:, 1] - 1 / (2 * self.beta)).square()
        margins = self.beta * (ratios[:, 0] - ratios[:, 1])
        # Without smoothing, as `sigmoid` is, the second term vanishes.
        flipped = self.label_smoothing
        return ((flipped - 1) * logsigmoid(margins) + flipped * logsigmoid(-margins)) / (1 - 2 * flipped)
