"""A teacher behind an OpenAI-compatible endpoint: concurrent requests, replies in order, no request paid for twice."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from factory.api import ChatRequest, ChatResponse, Endpoint, NoOpReporter, Reporter
from factory.errors import UnavailableError
from factory.llm import prompts
from factory.llm.cache_stats import TeacherStats, build_replay_error
from factory.llm.concurrency import ConcurrentBatch
from factory.llm.ledger import Ledger
from factory.llm.openai_client import EndpointRejectedError, OpenAIClient, RequestRejectedError
from factory.llm.rate_limit import RateLimiter
from factory.llm.response_cache import ResponseCache
from factory.llm.retries import RetryingClient

MAX_REJECTIONS = 3
"""Rejected requests, without any answer, after which the endpoint counts as unusable."""


@dataclass
class EndpointTeacher:
    """A teacher that sends requests to an endpoint of the spec."""

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
        """Yield one reply per request, in order. Identical requests are sent once."""
        identity = {"kind": "endpoint", **self.endpoint.build_cache_identity()}
        requests = list(asks)
        order = [prompts.compute_request_key(request, identity) for request in requests]
        items, workers = dict(zip(order, requests, strict=True)), self.endpoint.concurrency
        yield from ConcurrentBatch().run_each(self._answer_request, items, order, workers, report or NoOpReporter())

    def _answer_request(self, key: str, request: ChatRequest, batch: ConcurrentBatch) -> ChatResponse:
        reply = self.response_cache.find_reply(request, key)
        if reply is None and self.ledger.terms.replay:
            raise build_replay_error(self.model, request, key)
        if reply is None:
            with self.response_cache.lock_request(key):
                # Look again: another process may have answered it while this one waited for the lock.
                reply = self.response_cache.find_reply(request, key) or self._request_uncached(request, key, batch)
        self.stats.add(cached=int(reply.from_cache))
        return reply

    def _request_uncached(self, request: ChatRequest, key: str, batch: ConcurrentBatch) -> ChatResponse:
        """Return the endpoint's reply. Raises UnavailableError when the endpoint rejects every request."""
        try:
            reply = self._connect_endpoint().request_reply(request, key, batch)
        except RequestRejectedError as error:
            all_rejected = self.stats.failed + 1 >= MAX_REJECTIONS and not self.stats.answered
            if isinstance(error, EndpointRejectedError) or all_rejected:
                raise UnavailableError(f"{self.endpoint.base_url} rejects requests to {self.model}: {error}") from None
            text = f"the endpoint rejected the request: {error}"
            reply = ChatResponse("", error=text, model=self.model, prompt_digest=key)
        self.stats.count_reply(reply)
        return reply

    def _connect_endpoint(self) -> RetryingClient:
        with self._lock:
            if self._retrying_client is None:
                client, limiter = OpenAIClient(self.endpoint), RateLimiter(self.endpoint.requests_per_second)
                self._retrying_client = RetryingClient(
                    self.endpoint, client, self.response_cache, self.ledger, self.stats, limiter
                )
            return self._retrying_client

    def close(self) -> None:
        """Close the connections."""
        if self._retrying_client is not None:
            self._retrying_client.client.close()
            self._retrying_client = None
