"""What remote and local teachers share: counters, reading and writing cached replies, and the replay error."""

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
    """Counters of one teacher in one stage, for the note at its end."""

    cached: int = 0
    answered: int = 0
    failed: int = 0
    repaired: int = 0
    retried: int = 0
    tokens: int = 0
    cost: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, **counts: float) -> None:
        """Add to counters; thread-safe."""
        with self._lock:
            for name, value in counts.items():
                setattr(self, name, getattr(self, name) + value)

    def count_reply(self, reply: ChatResponse) -> None:
        """Count a reply that was not in the cache."""
        valid = not reply.error
        self.add(answered=valid, failed=not valid, tokens=reply.input_tokens + reply.output_tokens, cost=reply.cost)

    def __str__(self) -> str:
        requests = f"{self.answered + self.failed:,} requests, {self.cached:,} from the cache"
        usage = f"{self.tokens:,} tokens" + (f", cost {self.cost:.4f}" if self.cost else "")
        exceptions = [f"{count:,} {name}" for name, count in (
            ("retried", self.retried), ("repaired", self.repaired), ("without a valid answer", self.failed),
        ) if count]
        return "; ".join([requests, usage, *exceptions])


def find_cached_reply(response_cache: ResponseCache, ask: ChatRequest, key: str) -> ChatResponse | None:
    """Return the cached reply to a request; None when there is none or it no longer validates."""
    entry = response_cache.read_response(key)
    if entry is None:
        return None
    try:
        text, value = prompts.parse_answer(ask, entry["text"])
        return ChatResponse(
            text, value, model=str(entry["model"]), prompt_digest=key, from_cache=True,
            input_tokens=int(entry["tokens_in"]), output_tokens=int(entry["tokens_out"]),
            cost=float(entry["cost"]), seconds=float(entry["seconds"]),
        )
    except (KeyError, ValueError, TypeError):
        return None


def cache_reply(response_cache: ResponseCache, reply: ChatResponse, **extra: Any) -> None:
    """Write a valid reply, with `extra` fields, to the cache."""
    fields: Mapping[str, Any] = {
        "text": reply.text, "model": reply.model, "tokens_in": reply.input_tokens, "tokens_out": reply.output_tokens,
        "cost": reply.cost, "seconds": reply.seconds,
    }
    response_cache.write_response(reply.prompt_digest, {**fields, **extra})


def build_replay_error(model: str, ask: ChatRequest, key: str) -> UnavailableError:
    """Return the error of a `--replay` build whose request is not in the cache."""
    return UnavailableError(
        f"--replay: no cached answer to request {key[:12]} from {get_current_actor()} to {model} "
        f"({prompts.excerpt_request(ask)!r}); build without --replay first"
    )
