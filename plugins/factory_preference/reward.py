"""Reward modelling: a scalar head, trained so that chosen answers have higher rewards than rejected ones."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from factory.api import (
    Answer,
    Auto,
    Base,
    Finding,
    FitJob,
    ModelJob,
    Objective,
    Plugin,
    Row,
    TokenCounts,
    TrainResult,
    get_number,
)
from factory_preference.judged_answers import CHOSEN, REJECTED
from factory_preference.preference_audit import audit_judgements
from factory_preference.reward_task import REWARDS

if TYPE_CHECKING:
    from torch import Tensor, nn

UNCHOSEN_LENGTH, UNLIMITED = 512, 10**6
"""Tokens where no stage chose `max_length`, and more than any text has."""
TASK_TYPE = "SEQ_CLS"

TokenizedAnswer = tuple[list[int], list[int]]
"""The token ids of a prompt with an answer, and their segment ids."""


@dataclass(frozen=True, slots=True)
class RewardBatch:
    """Pairs as the kit reads them: each chosen answer with its prompt, and after it the rejected one."""

    texts: Any


class RewardObjective(Objective):
    """Bradley–Terry loss (1952; arXiv:2203.02155) on a scalar head, as TRL's RewardTrainer: the logistic loss of the
    chosen answer's reward less the rejected one's.

    `architecture` is that of the base. A decoder reads prompt and answer in its chat template, and the head the last
    token; an encoder reads them as a pair of texts. The head starts random, so that the untuned base answers otherwise:
    a decoder by the log-probability of an answer per token, an encoder by the cosine of prompt and answer.
    """

    kind = "reward"
    columns = ("chosen", "rejected")
    output_type = REWARDS
    measures_validation = True
    length_fields = ("max_length",)

    architecture: Literal["decoder", "encoder"] = Field("decoder", description="kind of base: how it reads a text")
    max_length: Annotated[int, Field(ge=16, le=131072)] | Auto = Field(
        "auto", description="maximum tokens of prompt and answer; auto for all of them, as far as the base reads"
    )
    center: float = Field(
        0.0, ge=0, le=100, description="weight of the squared sum of both rewards, which keeps them around 0 "
        "(arXiv:2312.09244)"
    )

    @classmethod
    def get_variant(cls, fields: Mapping[str, Any]) -> type[Plugin]:
        """Return the class for the architecture, which has another head and loads in another library."""
        from factory_preference.reward_architectures import DecoderReward, EncoderReward

        return EncoderReward if fields.get("architecture") == "encoder" else DecoderReward

    def tokenize_answers(self, job: ModelJob | FitJob, pairs: Sequence[tuple[Row, str]], limit: int
                         ) -> list[TokenizedAnswer]:
        """Return the token ids of each row's prompt with an answer, cut at `limit`."""
        raise NotImplementedError

    def score_untuned(self, job: ModelJob, pairs: Sequence[tuple[Row, str]]) -> list[float]:
        """Return what the base, which has no head, makes of each answer."""
        raise NotImplementedError

    def get_max_length(self) -> int:
        """Return the maximum tokens of prompt and answer."""
        return get_number(self.max_length, UNCHOSEN_LENGTH)

    def compute_reward_loss(self, rewards: Tensor) -> Tensor:
        """Return the mean loss of pairs from the rewards of their chosen and rejected answers: (pairs, 2)."""
        from torch.nn.functional import logsigmoid

        loss = -logsigmoid(rewards[:, 0] - rewards[:, 1]).mean()
        return loss + self.center * rewards.sum(1).square().mean() if self.center else loss

    def count_tokens(self, job: ModelJob) -> TokenCounts:
        """Count each prompt with each of its answers. Raises ValueError for a base of the other architecture."""
        self._require_architecture(job.base)
        ids = self.tokenize_answers(job, _list_judged(job.rows), UNLIMITED)
        return TokenCounts({"max_length": [len(tokens) for tokens, _ in ids]}, texts_per_example=2)

    def audit(self, job: ModelJob) -> Iterator[Finding]:
        self._require_architecture(job.base)
        yield from audit_judgements(job)
        judged, limit = _list_judged(job.rows), self.get_max_length()
        for (row, _), (ids, _) in zip(judged, self.tokenize_answers(job, judged, UNLIMITED), strict=True):
            if len(ids) > limit:
                yield Finding("truncated", row.id, f"prompt and answer have {len(ids)} tokens, max_length is {limit}")

    def fit(self, job: FitJob) -> TrainResult:
        learner = job.kit.create_learner(job, modules_to_save=self.modules_to_save, labels=1)
        # Only `keep: best` looks at validation rows.
        validation = job.validation if job.train.keep == "best" else ()
        examples, unseen = (self._build_examples(job, rows) for rows in (job.rows, validation))

        def compute_batch_loss(model: nn.Module, batch: RewardBatch) -> Tensor:
            return self.compute_reward_loss(job.kit.compute_head_logits(model, batch.texts).view(-1, 2))

        return job.kit.fit(
            learner, examples, build_reward_collator(job), compute_batch_loss, job,
            modules_to_save=self.modules_to_save, task_type=TASK_TYPE, validation=unseen,
        )

    def answer(self, job: ModelJob) -> Iterator[Answer]:
        pairs = [(row, str(text)) for row in job.rows for text in row["answers"]]
        if job.artifact is None:
            rewards = self.score_untuned(job, pairs)
        else:
            encoder = job.kit.load_encoder(job.base, job.artifact, labels=1)
            ids = self.tokenize_answers(job, pairs, self.get_max_length())
            rewards = encoder.compute_pair_logits(ids, job.report)[:, 0].tolist()
        yield from split_rewards(job.rows, rewards)

    def _require_architecture(self, base: Base) -> None:
        """Raise ValueError for a base of the other architecture, which would read texts as it never did before."""
        named = json.loads((base.folder / "config.json").read_bytes()).get("architectures") or ()
        decodes = any(name.endswith(("ForCausalLM", "LMHeadModel")) for name in named)
        encodes = any(name.endswith(("ForMaskedLM", "BertModel")) for name in named)
        if (decodes and self.architecture == "encoder") or (encodes and self.architecture == "decoder"):
            wanted = "decoder" if decodes else "encoder"
            text = f"objective.architecture is {self.architecture!r}, but {base.id} is of the other kind"
            raise ValueError(f"{text}; set `architecture: {wanted}`")

    def _build_examples(self, job: FitJob, rows: Sequence[Row]) -> list[tuple[TokenizedAnswer, TokenizedAnswer]]:
        ids = self.tokenize_answers(job, _list_judged(rows), self.get_max_length()) if rows else []
        return list(zip(ids[::2], ids[1::2], strict=True))


def _list_judged(rows: Sequence[Row]) -> list[tuple[Row, str]]:
    """Return each row with its chosen answer, and after it with its rejected one."""
    return [(row, str(row[name])) for row in rows for name in (CHOSEN, REJECTED)]


def build_reward_collator(job: FitJob) -> Callable[[list[tuple[TokenizedAnswer, TokenizedAnswer]]], RewardBatch]:
    """Return a function that makes a batch of pairs."""

    def collate(pairs: list[tuple[TokenizedAnswer, TokenizedAnswer]]) -> RewardBatch:
        texts = [text for pair in pairs for text in pair]
        return RewardBatch(job.kit.build_text_batch([ids for ids, _ in texts], [segments for _, segments in texts]))

    return collate


def split_rewards(rows: Sequence[Row], rewards: Sequence[float]) -> Iterator[Answer]:
    """Yield the rewards of each row's answers, which follow one another."""
    left = iter(rewards)
    for row in rows:
        yield Answer(row.id, list(islice(left, len(row["answers"]))))
