"""Chat backend for a model behind an OpenAI-compatible endpoint, with its usage and cost."""

from __future__ import annotations

import difflib
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from factory.api import ChatRequest, ChatResponse, Endpoint, Generation, Grammar, Reporter, Teacher, normalise
from factory_contenders.chat_backends import ChatMessages, ChoiceLogprobs
from factory_contenders.prompt_builder import strip_code_fence

BYTES_PER_TOKEN = 4
"""A rough estimate: the endpoint reports the exact number of tokens only afterwards."""

MAX_LABEL_TOKENS = 64
"""Token limit of an answer that is one of a few choices."""


@dataclass(slots=True)
class EndpointChatBackend:
    """A chat backend that calls an endpoint. Decoding is not constrained; replies are cached, so each is paid once."""

    endpoint: Endpoint
    teacher: Teacher
    report: Reporter
    _replies_by_prompt: dict[str, ChatResponse] = field(default_factory=dict)
    _outside_grammar_count: int = 0

    @property
    def can_calibrate(self) -> bool:
        return False

    def count_chat_tokens(self, chat: ChatMessages) -> int:
        return -(-sum(len(message.content.encode()) for message in chat) // BYTES_PER_TOKEN)

    def generate_replies(
        self, chats: Sequence[ChatMessages], grammars: Sequence[Grammar | None], limit: int
    ) -> list[Generation]:
        replies = self._request_texts(chats, limit)
        pairs = zip(replies, grammars, strict=True)
        self._outside_grammar_count += sum(not grammar.accepts(reply.text) for reply, grammar in pairs if grammar)
        return replies

    def score_choices(self, chats: Sequence[ChatMessages], choices: Sequence[str]) -> ChoiceLogprobs:
        matches = [match_choice(reply.text, choices) for reply in self._request_texts(chats, MAX_LABEL_TOKENS)]
        return [[0.0 if index == match else float("-inf") for index in range(len(choices))] for match in matches]

    def collect_usage(self) -> Mapping[str, Any]:
        """Return calls, tokens, cost and latency of selection and answers together; cached replies count as paid."""
        replies = self._replies_by_prompt.values()
        tokens_in = sum(reply.input_tokens for reply in replies)
        tokens_out = sum(reply.output_tokens for reply in replies)
        seconds = sorted(reply.seconds for reply in replies)
        return {
            "endpoint": self.endpoint.base_url, "calls": len(seconds), "tokens_in": tokens_in,
            "tokens_out": tokens_out, "cost": round(self.endpoint.compute_cost(tokens_in, tokens_out), 6),
            "outside_grammar": self._outside_grammar_count, "unanswered": sum(1 for reply in replies if reply.error),
            "seconds_median": round(statistics.median(seconds), 3) if seconds else 0.0,
            "seconds_p95": round(seconds[max(-(-95 * len(seconds) // 100) - 1, 0)], 3) if seconds else 0.0,
        }

    def _request_texts(self, chats: Sequence[ChatMessages], limit: int) -> list[Generation]:
        """Return every reply without its code fence; a truncated one keeps its beginning, a failed one is empty."""
        generations = []
        for reply in self.teacher.ask([ChatRequest(tuple(chat), max_tokens=limit) for chat in chats], self.report):
            self._replies_by_prompt[reply.prompt_digest] = reply
            generations.append(Generation(strip_code_fence(reply.text), reply.output_tokens, not reply.error))
        return generations


def match_choice(text: str, choices: Sequence[str]) -> int:
    """Return the index of the choice that a text names: the equal one, else the longest in it, else the closest."""
    if text.strip() in choices:  # before the comparison below, in which "Art" and "art" are the same
        return choices.index(text.strip())
    normal_text = normalise(text)
    normals = [normalise(choice) for choice in choices]
    if normal_text in normals:
        return normals.index(normal_text)
    contained = [index for index, normal in enumerate(normals) if f" {normal} " in f" {normal_text} "]
    if contained:
        return max(contained, key=lambda index: len(normals[index]))
    ratios = [difflib.SequenceMatcher(None, normal_text, normal, autojunk=False).ratio() for normal in normals]
    return ratios.index(max(ratios))
