"""A teacher behind an endpoint: many requests at once, answered in order, each paid for once."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from factory.api import ChatRequest, Endpoint, ChatResponse, Reporter, NoOpReporter
from factory.errors import UnavailableError
from factory.teach import request
from factory.teach.batch import Batch
from factory.teach.cached import Counts, cached, miss
from factory.teach.calls import Calls
from factory.teach.exchange import Exchange
from factory.teach.ledger import Ledger
from factory.teach.pace import Pace
from factory.teach.wire import LastingError, RefusedError, Wire

REFUSALS = 3
"""So many requests refused, and none answered: it is not the requests that are wrong."""


@dataclass
class Remote:
    """The endpoint of a spec as a teacher."""

    endpoint: Endpoint
    calls: Calls
    ledger: Ledger
    counts: Counts = field(default_factory=Counts)
    _exchange: Exchange | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def model(self) -> str:
        return self.endpoint.model

    def ask(self, asks: Iterable[ChatRequest], report: Reporter | None = None) -> Iterator[ChatResponse]:
        """Yield one reply for each request, in their order. Requests that are alike are asked once."""
        who = {"kind": "endpoint", **self.endpoint.build_cache_identity()}
        asked = list(asks)
        order = [request.key(each, who) for each in asked]
        items = dict(zip(order, asked, strict=True))
        yield from Batch().each(self._one, items, order, self.endpoint.concurrency, report or NoOpReporter())

    def _one(self, key: str, ask: ChatRequest, batch: Batch) -> ChatResponse:
        found = cached(self.calls, ask, key)
        if found is None and self.ledger.terms.replay:
            raise miss(self.model, ask, key)
        if found is None:
            with self.calls.asking(key):
                found = cached(self.calls, ask, key) or self._asked(ask, key, batch)
        self.counts.add(cached=int(found.from_cache))
        return found

    def _asked(self, ask: ChatRequest, key: str, batch: Batch) -> ChatResponse:
        try:
            reply = self._connected().reply(ask, key, batch)
        except RefusedError as error:
            reply = self._refused(error, key)
        self.counts.heard(reply)
        return reply

    def _refused(self, error: RefusedError, key: str) -> ChatResponse:
        """A request that the server will not answer has failed; when it answers none, so has the build."""
        if isinstance(error, LastingError) or (self.counts.failed + 1 >= REFUSALS and not self.counts.answered):
            raise UnavailableError(f"{self.endpoint.base_url} refuses {self.model}: {error}") from None
        return ChatResponse("", error=f"the endpoint refuses it: {error}", model=self.model, prompt_digest=key)

    def _connected(self) -> Exchange:
        with self._lock:
            if self._exchange is None:
                pace = Pace(self.endpoint.rate)
                wire = Wire(self.endpoint)
                self._exchange = Exchange(self.endpoint, wire, self.calls, self.ledger, self.counts, pace)
            return self._exchange

    def close(self) -> None:
        """Let go of the connections."""
        if self._exchange is not None:
            self._exchange.wire.close()
            self._exchange = None
