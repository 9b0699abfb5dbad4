"""What remote and local teachers share: counters for the note of a stage, and the error of a `--replay` build."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from factory.api import ChatRequest, ChatResponse
from factory.errors import UnavailableError
from factory.network_policy import get_current_actor

EXCERPT_WIDTH = 60
"""Characters of a request's last message in an error."""


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
        sent = self.answered + self.failed
        requests = f"{sent:,} request{'s' * (sent != 1)}, {self.cached:,} from the cache"
        usage = f"{self.tokens:,} tokens" + (f", cost {self.cost:.4f}" if self.cost else "")
        faults = {"retried": self.retried, "repaired": self.repaired, "without a valid answer": self.failed}
        return "; ".join([requests, usage, *(f"{count:,} {name}" for name, count in faults.items() if count)])


def build_replay_error(model: str, request: ChatRequest, key: str) -> UnavailableError:
    """Return the error of a `--replay` build whose request is not in the cache."""
    text = " ".join(request.messages[-1].content.split())
    excerpt = text if len(text) <= EXCERPT_WIDTH else f"{text[: EXCERPT_WIDTH - 1]}…"
    return UnavailableError(
        f"--replay: no cached answer to request {key[:12]} from {get_current_actor()} to {model} ({excerpt!r}); "
        "build without --replay first"
    )
