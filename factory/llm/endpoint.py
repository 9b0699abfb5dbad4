"""A teacher behind an endpoint: many requests at once, answered in order, each paid for once."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from factory.api import ChatRequest, ChatResponse, Endpoint, NoOpReporter, Reporter
from factory.errors import UnavailableError
from factory.llm import prompts
from factory.llm.cache_stats import TeacherStats, build_replay_error, find_cached_reply
from factory.llm.concurrency import ConcurrentBatch
from factory.llm.ledger import Ledger
from factory.llm.openai_client import EndpointRejectedError, OpenAIClient, RequestRejectedError
from factory.llm.rate_limit import RateLimiter
from factory.llm.response_cache import ResponseCache
from factory.llm.retries import RetryingClient

MAX_REJECTIONS = 3
"""So many requests refused, and none answered: it is not the requests that are wrong."""


@dataclass
class EndpointTeacher:
    """The endpoint of a spec as a teacher."""

    endpoint: Endpoint
    response_cache: ResponseCache
    ledger: Ledger
    stats: TeacherStats = field(default_factory=TeacherStats)
    _retrying_client: RetryingClient | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def model(self) -> str:
        return self.endpoint.model

    def ask(self, asks: Iterable[ChatRequest], report: Reporter | None = None) -> Iterator[ChatResponse]:
        """Yield one reply for each request, in their order. Requests that are alike are asked once."""
        who = {"kind": "endpoint", **self.endpoint.build_cache_identity()}
        asked = list(asks)
        order = [prompts.compute_request_key(each, who) for each in asked]
        items = dict(zip(order, asked, strict=True))
        yield from ConcurrentBatch().run_each(self._answer_request, items, order, self.endpoint.concurrency, report or NoOpReporter())

    def _answer_request(self, key: str, ask: ChatRequest, batch: ConcurrentBatch) -> ChatResponse:
        found = find_cached_reply(self.response_cache, ask, key)
        if found is None and self.ledger.terms.replay:
            raise build_replay_error(self.model, ask, key)
        if found is None:
            with self.response_cache.lock_request(key):
                found = find_cached_reply(self.response_cache, ask, key) or self._request_uncached(ask, key, batch)
        self.stats.add(cached=int(found.from_cache))
        return found

    def _request_uncached(self, ask: ChatRequest, key: str, batch: ConcurrentBatch) -> ChatResponse:
        try:
            reply = self._connect_endpoint().request_reply(ask, key, batch)
        except RequestRejectedError as error:
            reply = self._handle_rejection(error, key)
        self.stats.count_reply(reply)
        return reply

    def _handle_rejection(self, error: RequestRejectedError, key: str) -> ChatResponse:
        """A request that the server will not answer has failed; when it answers none, so has the build."""
        if isinstance(error, EndpointRejectedError) or (self.stats.failed + 1 >= MAX_REJECTIONS and not self.stats.answered):
            raise UnavailableError(f"{self.endpoint.base_url} refuses {self.model}: {error}") from None
        return ChatResponse("", error=f"the endpoint refuses it: {error}", model=self.model, prompt_digest=key)

    def _connect_endpoint(self) -> RetryingClient:
        with self._lock:
            if self._retrying_client is None:
                pace = RateLimiter(self.endpoint.rate)
                wire = OpenAIClient(self.endpoint)
                self._retrying_client = RetryingClient(self.endpoint, wire, self.response_cache, self.ledger, self.stats, pace)
            return self._retrying_client

    def close(self) -> None:
        """Let go of the connections."""
        if self._retrying_client is not None:
            self._retrying_client.client.close()
            self._retrying_client = None
