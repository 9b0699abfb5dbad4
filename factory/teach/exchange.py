"""One request from its key to its reply: tried again when a failure may pass, repaired once when it is not valid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from factory.api import ChatRequest, Endpoint, Message, ChatResponse
from factory.errors import FactoryError, UnavailableError
from factory.teach import request
from factory.teach.batch import Batch
from factory.teach.cached import Counts, keep
from factory.teach.calls import Calls
from factory.teach.ledger import Ledger
from factory.teach.pace import Pace, backoff
from factory.teach.perimeter import who
from factory.teach.wire import LastingError, PassingError, RefusedError, Said, Wire

PATIENCE = 600.0
"""Seconds: when a server asks to wait longer, a person is told instead."""
CUT = "length"
"""How a server says that an answer ends because it is too long."""


@dataclass
class Exchange:
    """How to ask one endpoint, and keep what it says. `in_words`: it takes no schema, so that the form of an answer is
    said in words.
    """

    endpoint: Endpoint
    wire: Wire
    calls: Calls
    ledger: Ledger
    counts: Counts
    pace: Pace
    in_words: bool = field(default=False)

    def reply(self, ask: ChatRequest, key: str, batch: Batch) -> ChatResponse:
        """Ask, and once more with its fault when the answer is not valid."""
        first, attempt = self._formed(ask, key, batch)
        reply = self._judged(ask, key, [first])
        self._done(attempt, first, reply)
        if not reply.error or not (ask.schema or ask.choices) or first.finish == CUT or first.refusal:
            return reply
        self.counts.add(repaired=1)
        body = self._body(ask, None if self.in_words else request.schema(ask))
        second, attempt = self._tried(request.repairing(ask, first.text, reply.error), body, key, batch)
        reply = self._judged(ask, key, [first, second])
        self._done(attempt, second, reply)
        return reply

    def _formed(self, ask: ChatRequest, key: str, batch: Batch) -> tuple[Said, str]:
        """The first round: with the form as a schema or, where the server refuses that, in words from then on."""
        form = request.schema(ask)
        if form is None or self.in_words:
            return self._tried(request.instructed(ask), self._body(ask, None), key, batch)
        try:
            return self._tried(ask.messages, self._body(ask, form), key, batch)
        except LastingError:
            raise
        except RefusedError:
            found = self._tried(request.instructed(ask), self._body(ask, None), key, batch)
            self.in_words = True
            return found

    def _body(self, ask: ChatRequest, form: Mapping[str, Any] | None) -> dict[str, Any]:
        body: dict[str, Any] = {"temperature": ask.temperature, "max_tokens": ask.max_tokens}
        if ask.temperature > 0:
            body["seed"] = ask.sample_index
        if form is not None:
            shape = {"name": "answer", "strict": True, "schema": form}
            body["response_format"] = {"type": "json_schema", "json_schema": shape}
        return body

    def _tried(
        self, messages: Sequence[Message], body: Mapping[str, Any], key: str, batch: Batch
    ) -> tuple[Said, str]:
        """What was said, and the attempt of the ledger that is still open: its caller knows how good the answer is."""
        tries = 0
        while True:
            batch.sleep(self.pace.turn())
            self.ledger.check()
            attempt = self.ledger.sent(key=key, model=self.endpoint.model, host=self.endpoint.host, by=who())
            try:
                return self.wire.say(messages, body), attempt
            except PassingError as error:
                self.ledger.over(attempt, error.status, key=key)
                tries += 1
                self._wait(error, tries, batch)
            except (RefusedError, FactoryError) as error:
                self.ledger.over(attempt, error.status if isinstance(error, RefusedError) else "denied", key=key)
                raise

    def _wait(self, error: PassingError, tries: int, batch: Batch) -> None:
        if tries > self.endpoint.retries or (error.after or 0) > PATIENCE:
            asked = f", and asks to wait {error.after:.0f} s" if error.after else ""
            raise UnavailableError(
                f"{self.endpoint.base_url} does not answer: {error} (tried {tries} times{asked}); "
                "what was answered is kept, and the same command goes on from there"
            ) from error
        self.counts.add(retried=1)
        if error.after:
            self.pace.hold(error.after)
        batch.sleep(backoff(tries, error.after))

    def _judged(self, ask: ChatRequest, key: str, said: Sequence[Said]) -> ChatResponse:
        """The reply that the last answer makes, with what all rounds took."""
        last = said[-1]
        tokens_in, tokens_out = sum(each.tokens_in for each in said), sum(each.tokens_out for each in said)
        facts: dict[str, Any] = {
            "model": self.endpoint.model, "prompt": key, "tokens_in": tokens_in, "tokens_out": tokens_out,
            "cost": self.endpoint.compute_cost(tokens_in, tokens_out), "seconds": round(sum(each.seconds for each in said), 3),
        }
        fault = f"the answer was cut off at {ask.max_tokens} tokens" if last.finish == CUT else last.refusal
        if fault:
            return ChatResponse(last.text, error=fault, **facts)
        try:
            text, value = request.settled(ask, last.text)
        except request.InvalidAnswerError as error:
            return ChatResponse(last.text, error=str(error), **facts)
        return ChatResponse(text, value, **facts)

    def _done(self, attempt: str, said: Said, reply: ChatResponse) -> None:
        """Keep a valid answer, and then say in the ledger that it is there: killed in between, nobody pays again."""
        if not reply.error:
            keep(self.calls, reply, host=self.endpoint.host)
        status = "ok" if not reply.error else "truncated" if said.finish == CUT else "invalid"
        cost = self.endpoint.compute_cost(said.tokens_in, said.tokens_out)
        self.ledger.over(
            attempt, status, key=reply.prompt_digest, tokens_in=said.tokens_in, tokens_out=said.tokens_out,
            cost=round(cost, 9), seconds=said.seconds,
        )
