"""The protocol of backends that answer prompts, and the one for local models; `endpoint_backend` has the other."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from factory.api import Decoder, Generation, Grammar, Message, Reporter

ChatMessages = Sequence[Message]
ChoiceLogprobs = list[list[float]]
"""Log-probabilities, one list of choices per chat."""


class ChatBackend(Protocol):
    """A model that can continue a chat."""

    @property
    def can_calibrate(self) -> bool:
        """Whether the scores of choices are log-probabilities, which calibration needs."""

    def count_chat_tokens(self, chat: ChatMessages) -> int:
        """Count the tokens of a chat."""

    def generate_replies(
        self, chats: Sequence[ChatMessages], grammars: Sequence[Grammar | None], limit: int
    ) -> list[Generation]:
        """Generate a reply of at most `limit` tokens to each chat."""

    def score_choices(self, chats: Sequence[ChatMessages], choices: Sequence[str]) -> ChoiceLogprobs:
        """Compute the log-probability of each choice as the reply."""

    def collect_usage(self) -> Mapping[str, Any]:
        """Return the calls, tokens and cost so far, for the report."""


@dataclass(frozen=True, slots=True)
class LocalChatBackend:
    """A causal model on this machine."""

    decoder: Decoder
    report: Reporter

    @property
    def can_calibrate(self) -> bool:
        return True

    def count_chat_tokens(self, chat: ChatMessages) -> int:
        return len(self.decoder.tokenize_chat(chat))

    def generate_replies(
        self, chats: Sequence[ChatMessages], grammars: Sequence[Grammar | None], limit: int
    ) -> list[Generation]:
        prompts = [self.decoder.tokenize_chat(chat) for chat in chats]
        return self.decoder.generate_texts(prompts, limit, grammars, self.report)

    def score_choices(self, chats: Sequence[ChatMessages], choices: Sequence[str]) -> ChoiceLogprobs:
        answers = [self.decoder.tokenize_answer(choice) for choice in choices]
        prompts = [self.decoder.tokenize_chat(chat) for chat in chats]
        return self.decoder.compute_choice_logprobs(prompts, [answers] * len(prompts), self.report)

    def collect_usage(self) -> Mapping[str, Any]:
        return {}


def exponentiate_logprobs(logprobs: Sequence[float]) -> list[float]:
    """Convert log-probabilities to probabilities that sum to 1."""
    highest = max(logprobs)
    powers = [math.exp(logprob - highest) for logprob in logprobs]
    total = math.fsum(powers)
    return [power / total for power in powers]


def calibrate_logprobs(logprobs: Sequence[float], content_free: Sequence[Sequence[float]]) -> list[float]:
    """Subtract the log of each choice's mean probability for content-free inputs.

    Contextual calibration (Zhao et al. 2021, arXiv:2102.09690) removes the bias of the prompt's wording.
    """
    probabilities = [exponentiate_logprobs(baseline) for baseline in content_free]
    means = [math.fsum(column) / len(probabilities) for column in zip(*probabilities, strict=True)]
    return [logprob - math.log(max(mean, 1e-30)) for logprob, mean in zip(logprobs, means, strict=True)]
