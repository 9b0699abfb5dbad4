"""A model behind an OpenAI-compatible endpoint, as somebody to prompt, with what that costs."""

from __future__ import annotations

import difflib
import errno
import os
import statistics
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from factory.api import Closed, Guide, Reporter, Runtime, normalise
from factory_contenders.speakers import Chat, Weights
from factory_contenders.wording import bare

if TYPE_CHECKING:
    from openai import OpenAI

BYTES_A_TOKEN = 4
"""Roughly; what a prompt will cost is known only afterwards."""

LONGEST_LABEL = 64
"""Tokens for an answer that is one of few."""


class Endpoint(Closed):
    """Where the model is. What is asked leaves this machine for `base_url`, and for nowhere else."""

    model: str = Field(min_length=1, description="the model's name at the endpoint")
    base_url: str = Field(pattern=r"^https?://", description="the endpoint, such as http://localhost:8000/v1")
    key_env: str = Field("", description="name of the environment variable that holds the key, if one is asked for")
    price_in: float = Field(0.0, ge=0, description="price of a million tokens of prompt")
    price_out: float = Field(0.0, ge=0, description="price of a million tokens of answer")
    body: dict[str, Any] = Field({}, description="fields of the request to add or replace; null leaves one out")
    timeout: Annotated[float, Runtime] = Field(60.0, gt=0, description="seconds for one request")
    retries: Annotated[int, Runtime] = Field(4, ge=0, description="further tries of a request that failed in passing")
    concurrency: Annotated[int, Runtime] = Field(4, ge=1, le=64, description="requests at the same time")


@dataclass(slots=True)
class Remote:
    """The endpoint as a speaker. It can not be held to a guide, and its answers need not be the same twice."""

    endpoint: Endpoint
    report: Reporter
    _client: OpenAI = field(init=False)
    _tokens_in: int = 0
    _tokens_out: int = 0
    _seconds: list[float] = field(default_factory=list)
    _unguided: int = 0

    @property
    def calibrates(self) -> bool:
        return False

    def __post_init__(self) -> None:
        self._client = client(self.endpoint)

    def size(self, chat: Chat) -> int:
        return -(-sum(len(message.content.encode()) for message in chat) // BYTES_A_TOKEN)

    def say(self, chats: Sequence[Chat], guides: Sequence[Guide | None], limit: int) -> list[str]:
        texts = self._said(chats, limit)
        self._unguided += sum(1 for text, guide in zip(texts, guides, strict=True) if guide and not guide(text, True))
        return texts

    def weigh(self, chats: Sequence[Chat], choices: Sequence[str]) -> Weights:
        named = [nearest(text, choices) for text in self._said(chats, LONGEST_LABEL)]
        return [[0.0 if place == said else float("-inf") for place in range(len(choices))] for said in named]

    def facts(self) -> Mapping[str, Any]:
        """Calls, tokens, money and latency, of choosing and answering together."""
        paid = self._tokens_in * self.endpoint.price_in + self._tokens_out * self.endpoint.price_out
        ordered = sorted(self._seconds)
        return {
            "endpoint": self.endpoint.base_url, "calls": len(ordered), "tokens_in": self._tokens_in,
            "tokens_out": self._tokens_out, "cost": round(paid / 1e6, 6), "outside_guide": self._unguided,
            "seconds_median": round(statistics.median(ordered), 3) if ordered else 0.0,
            "seconds_p95": round(ordered[max(-(-95 * len(ordered) // 100) - 1, 0)], 3) if ordered else 0.0,
        }

    def _said(self, chats: Sequence[Chat], limit: int) -> list[str]:
        from openai import OpenAIError

        texts = []
        with ThreadPoolExecutor(self.endpoint.concurrency) as pool:
            try:
                for reply, seconds in pool.map(lambda chat: self._ask(chat, limit), chats):
                    texts.append(self._counted(reply, seconds))
                    self.report.progress(len(texts), len(chats), "answers")
            except OpenAIError as error:
                pool.shutdown(wait=False, cancel_futures=True)
                said = f"the endpoint does not answer: {first_line(error)}"
                raise ConnectionError(errno.EIO, said, self.endpoint.base_url) from error
        return texts

    def _ask(self, chat: Chat, limit: int) -> tuple[Any, float]:
        said: Any = [{"role": message.role, "content": message.content} for message in chat]
        body = {"temperature": 0, "max_tokens": limit, **self.endpoint.body}
        start = time.perf_counter()
        reply = self._client.chat.completions.create(
            model=self.endpoint.model, messages=said,
            extra_body={name: value for name, value in body.items() if value is not None},
        )
        return reply, time.perf_counter() - start

    def _counted(self, reply: Any, seconds: float) -> str:
        usage = getattr(reply, "usage", None)
        self._tokens_in += int(getattr(usage, "prompt_tokens", 0) or 0)
        self._tokens_out += int(getattr(usage, "completion_tokens", 0) or 0)
        self._seconds.append(seconds)
        try:
            return bare(reply.choices[0].message.content or "")
        except (AttributeError, IndexError, TypeError):
            said = "the endpoint's reply holds no message"
            raise ConnectionError(errno.EPROTO, said, self.endpoint.base_url) from None


def client(endpoint: Endpoint) -> OpenAI:
    """The SDK's client. Raises ImportError without the extra, PermissionError when the environment holds no key."""
    try:
        from openai import OpenAI
    except ImportError as error:
        raise ImportError("an endpoint needs the extra: pip install 'specialist-factory[endpoint]'") from error
    key = os.environ.get(endpoint.key_env, "") if endpoint.key_env else "none"
    if not key:
        said = f"set the environment variable {endpoint.key_env}, which holds the key of the endpoint"
        raise PermissionError(errno.EACCES, said, endpoint.base_url)
    return OpenAI(
        api_key=key, base_url=endpoint.base_url, timeout=endpoint.timeout, max_retries=endpoint.retries,
    )


def nearest(text: str, choices: Sequence[str]) -> int:
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


def first_line(error: Exception) -> str:
    """What an error says, in one line."""
    return next(iter(str(error).splitlines()), type(error).__name__)
