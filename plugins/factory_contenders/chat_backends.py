"""Whom a prompt is put to. A local model is one, an endpoint (`endpoint.py`) another."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from factory.api import Decoder, Guide, Message, Reporter

ChatMessages = Sequence[Message]
ChoiceLogprobs = list[list[float]]
"""For each chat the log-probability of each choice."""


class ChatBackend(Protocol):
    """Anything that goes on with a chat."""

    @property
    def can_calibrate(self) -> bool:
        """Whether what it makes of choices are log-probabilities."""

    def count_chat_tokens(self, chat: ChatMessages) -> int:
        """Tokens of a chat."""

    def generate_replies(self, chats: Sequence[ChatMessages], guides: Sequence[Guide | None], limit: int) -> list[str]:
        """What it says to each chat, of at most `limit` tokens."""

    def score_choices(self, chats: Sequence[ChatMessages], choices: Sequence[str]) -> ChoiceLogprobs:
        """How likely it is to say each choice."""

    def collect_usage(self) -> Mapping[str, Any]:
        """What asking took, beyond the tokens of the prompts."""


@dataclass(frozen=True, slots=True)
class LocalChatBackend:
    """A causal model of this machine."""

    decoder: Decoder
    report: Reporter

    @property
    def can_calibrate(self) -> bool:
        return True

    def count_chat_tokens(self, chat: ChatMessages) -> int:
        return len(self.decoder.tokenize_chat(chat))

    def generate_replies(self, chats: Sequence[ChatMessages], guides: Sequence[Guide | None], limit: int) -> list[str]:
        return self.decoder.generate_texts(
            [self.decoder.tokenize_chat(chat) for chat in chats], limit, guides, self.report
        )

    def score_choices(self, chats: Sequence[ChatMessages], choices: Sequence[str]) -> ChoiceLogprobs:
        said = [self.decoder.tokenize_answer(choice) for choice in choices]
        prompts = [self.decoder.tokenize_chat(chat) for chat in chats]
        return self.decoder.compute_choice_logprobs(prompts, [said] * len(prompts), self.report)

    def collect_usage(self) -> Mapping[str, Any]:
        return {}


def exponentiate_logprobs(weights: Sequence[float]) -> list[float]:
    """Log-probabilities as probabilities that sum to 1."""
    highest = max(weights)
    raised = [math.exp(weight - highest) for weight in weights]
    total = math.fsum(raised)
    return [value / total for value in raised]


def calibrate_logprobs(weights: Sequence[float], free: Sequence[Sequence[float]]) -> list[float]:
    """Weights less what the choices get when nothing was asked, as log of the mean probability over such questions.

    Contextual calibration (Zhao et al. 2021, arXiv:2102.09690): what a prompt prefers for its wording is taken out.
    """
    chances = [exponentiate_logprobs(each) for each in free]
    means = [math.fsum(column) / len(chances) for column in zip(*chances, strict=True)]
    return [weight - math.log(max(mean, 1e-30)) for weight, mean in zip(weights, means, strict=True)]
