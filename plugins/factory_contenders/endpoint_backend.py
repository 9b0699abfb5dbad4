"""A model behind an OpenAI-compatible endpoint, as somebody to prompt, with what that costs."""

from __future__ import annotations

import difflib
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from factory.api import ChatRequest, ChatResponse, Endpoint, Guide, Reporter, Teacher, normalise
from factory_contenders.chat_backends import ChatMessages, ChoiceLogprobs
from factory_contenders.prompt_builder import strip_code_fence

BYTES_PER_TOKEN = 4
"""Roughly; what a prompt will cost is known only afterwards."""

MAX_LABEL_TOKENS = 64
"""Tokens for an answer that is one of few."""


@dataclass(slots=True)
class EndpointChatBackend:
    """The endpoint as a speaker. It can not be held to a guide; what it said once is not asked, nor paid, again."""

    endpoint: Endpoint
    teacher: Teacher
    report: Reporter
    _replies_by_prompt: dict[str, ChatResponse] = field(default_factory=dict)
    _outside_guide_count: int = 0

    @property
    def can_calibrate(self) -> bool:
        return False

    def count_chat_tokens(self, chat: ChatMessages) -> int:
        return -(-sum(len(message.content.encode()) for message in chat) // BYTES_PER_TOKEN)

    def generate_replies(self, chats: Sequence[ChatMessages], guides: Sequence[Guide | None], limit: int) -> list[str]:
        texts = self._request_texts(chats, limit)
        self._outside_guide_count += sum(
            1 for text, guide in zip(texts, guides, strict=True) if guide and not guide(text, True)
        )
        return texts

    def score_choices(self, chats: Sequence[ChatMessages], choices: Sequence[str]) -> ChoiceLogprobs:
        named = [match_choice(text, choices) for text in self._request_texts(chats, MAX_LABEL_TOKENS)]
        return [[0.0 if place == said else float("-inf") for place in range(len(choices))] for said in named]

    def collect_usage(self) -> Mapping[str, Any]:
        """Calls, tokens, money and latency, of choosing and answering together, as they were when they were paid."""
        heard = self._replies_by_prompt.values()
        tokens_in, tokens_out = sum(each.input_tokens for each in heard), sum(each.output_tokens for each in heard)
        ordered = sorted(each.seconds for each in heard)
        return {
            "endpoint": self.endpoint.base_url, "calls": len(ordered), "tokens_in": tokens_in,
            "tokens_out": tokens_out, "cost": round(self.endpoint.compute_cost(tokens_in, tokens_out), 6),
            "outside_guide": self._outside_guide_count, "unanswered": sum(1 for each in heard if each.error),
            "seconds_median": round(statistics.median(ordered), 3) if ordered else 0.0,
            "seconds_p95": round(ordered[max(-(-95 * len(ordered) // 100) - 1, 0)], 3) if ordered else 0.0,
        }

    def _request_texts(self, chats: Sequence[ChatMessages], limit: int) -> list[str]:
        """The text of every answer: one that was cut off as far as it goes, of one that was refused nothing."""
        texts = []
        for reply in self.teacher.ask([ChatRequest(tuple(chat), max_tokens=limit) for chat in chats], self.report):
            self._replies_by_prompt[reply.prompt_digest] = reply
            texts.append(strip_code_fence(reply.text))
        return texts


def match_choice(text: str, choices: Sequence[str]) -> int:
    """The place of the choice that a text names: the equal one, else the longest in it, else the most alike."""
    said = normalise(text)
    normals = [normalise(choice) for choice in choices]
    if said in normals:
        return normals.index(said)
    within = [place for place, normal in enumerate(normals) if f" {normal} " in f" {said} "]
    if within:
        return max(within, key=lambda place: len(normals[place]))
    alike = [difflib.SequenceMatcher(None, said, normal, autojunk=False).ratio() for normal in normals]
    return max(range(len(choices)), key=lambda place: alike[place])
