"""What teachers of every sort have in common: the cache, what they count, and what a replay lacks."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from factory.api import ChatRequest, ChatResponse
from factory.errors import UnavailableError
from factory.llm import prompts
from factory.llm.response_cache import ResponseCache
from factory.network_policy import get_current_actor


@dataclass
class TeacherStats:
    """What a stage has asked of one teacher, for the note at its end."""

    cached: int = 0
    answered: int = 0
    failed: int = 0
    repaired: int = 0
    retried: int = 0
    tokens: int = 0
    cost: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, **counts: float) -> None:
        """Count, from any thread."""
        with self._lock:
            for name, value in counts.items():
                setattr(self, name, getattr(self, name) + value)

    def count_reply(self, reply: ChatResponse) -> None:
        """Count a reply that was not in the cache."""
        right = not reply.error
        self.add(answered=right, failed=not right, tokens=reply.input_tokens + reply.output_tokens, cost=reply.cost)

    def __str__(self) -> str:
        asked = f"{self.answered + self.failed:,} asked, {self.cached:,} from the cache"
        spent = f"{self.tokens:,} tokens" + (f", cost {self.cost:.4f}" if self.cost else "")
        rare = [f"{count:,} {name}" for name, count in (
            ("tried again", self.retried), ("repaired", self.repaired), ("without a valid answer", self.failed),
        ) if count]
        return "; ".join([asked, spent, *rare])


def find_cached_reply(calls: ResponseCache, ask: ChatRequest, key: str) -> ChatResponse | None:
    """The reply that was paid for before, if it still is a valid answer."""
    found = calls.read_response(key)
    if found is None:
        return None
    try:
        text, value = prompts.parse_answer(ask, found["text"])
        return ChatResponse(
            text, value, model=str(found["model"]), prompt_digest=key, from_cache=True,
            input_tokens=int(found["tokens_in"]), output_tokens=int(found["tokens_out"]),
            cost=float(found["cost"]), seconds=float(found["seconds"]),
        )
    except (KeyError, ValueError, TypeError):
        return None


def cache_reply(calls: ResponseCache, reply: ChatResponse, **facts: Any) -> None:
    """Put a valid reply where the next build finds it."""
    known: Mapping[str, Any] = {
        "text": reply.text, "model": reply.model, "tokens_in": reply.input_tokens, "tokens_out": reply.output_tokens,
        "cost": reply.cost, "seconds": reply.seconds,
    }
    calls.write_response(reply.prompt_digest, {**known, **facts})


def build_replay_error(model: str, ask: ChatRequest, key: str) -> UnavailableError:
    """A replay without the answer to a request."""
    return UnavailableError(
        f"--replay: no answer to request {key[:12]} of {get_current_actor()} to {model} is in the cache "
        f"({prompts.excerpt_request(ask)!r}); build once without --replay"
    )
