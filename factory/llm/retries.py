"""One request from its key to its reply: tried again when a failure may pass, repaired once when it is not valid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from factory.api import ChatRequest, ChatResponse, Endpoint, Message
from factory.errors import FactoryError, UnavailableError
from factory.llm import prompts
from factory.llm.cache_stats import TeacherStats, cache_reply
from factory.llm.concurrency import ConcurrentBatch
from factory.llm.ledger import Ledger
from factory.llm.openai_client import (
    ChatCompletionResult,
    EndpointRejectedError,
    OpenAIClient,
    RequestRejectedError,
    TransientEndpointError,
)
from factory.llm.rate_limit import RateLimiter, compute_backoff
from factory.llm.response_cache import ResponseCache
from factory.network_policy import get_current_actor

MAX_RETRY_AFTER = 600.0
"""Seconds: when a server asks to wait longer, a person is told instead."""
LENGTH_FINISH_REASON = "length"
"""How a server says that an answer ends because it is too long."""


@dataclass
class RetryingClient:
    """How to ask one endpoint, and keep what it says. `in_words`: it takes no schema, so that the form of an answer is
    said in words.
    """

    endpoint: Endpoint
    client: OpenAIClient
    response_cache: ResponseCache
    ledger: Ledger
    stats: TeacherStats
    rate_limiter: RateLimiter
    schema_in_prompt: bool = field(default=False)

    def request_reply(self, ask: ChatRequest, key: str, batch: ConcurrentBatch) -> ChatResponse:
        """Ask, and once more with its fault when the answer is not valid."""
        first, attempt = self._send_first_round(ask, key, batch)
        reply = self._build_endpoint_reply(ask, key, [first])
        self._record_reply(attempt, first, reply)
        if not reply.error or not (ask.schema or ask.choices) or first.finish == LENGTH_FINISH_REASON or first.refusal:
            return reply
        self.stats.add(repaired=1)
        body = self._build_request_body(ask, None if self.schema_in_prompt else prompts.build_answer_schema(ask))
        second, attempt = self._send_with_retries(prompts.build_repair_messages(ask, first.text, reply.error), body, key, batch)
        reply = self._build_endpoint_reply(ask, key, [first, second])
        self._record_reply(attempt, second, reply)
        return reply

    def _send_first_round(self, ask: ChatRequest, key: str, batch: ConcurrentBatch) -> tuple[ChatCompletionResult, str]:
        """The first round: with the form as a schema or, where the server refuses that, in words from then on."""
        form = prompts.build_answer_schema(ask)
        if form is None or self.schema_in_prompt:
            return self._send_with_retries(prompts.add_format_instructions(ask), self._build_request_body(ask, None), key, batch)
        try:
            return self._send_with_retries(ask.messages, self._build_request_body(ask, form), key, batch)
        except EndpointRejectedError:
            raise
        except RequestRejectedError:
            found = self._send_with_retries(prompts.add_format_instructions(ask), self._build_request_body(ask, None), key, batch)
            self.schema_in_prompt = True
            return found

    def _build_request_body(self, ask: ChatRequest, form: Mapping[str, Any] | None) -> dict[str, Any]:
        body: dict[str, Any] = {"temperature": ask.temperature, "max_tokens": ask.max_tokens}
        if ask.temperature > 0:
            body["seed"] = ask.sample_index
        if form is not None:
            shape = {"name": "answer", "strict": True, "schema": form}
            body["response_format"] = {"type": "json_schema", "json_schema": shape}
        return body

    def _send_with_retries(
        self, messages: Sequence[Message], body: Mapping[str, Any], key: str, batch: ConcurrentBatch
    ) -> tuple[ChatCompletionResult, str]:
        """What was said, and the attempt of the ledger that is still open: its caller knows how good the answer is."""
        tries = 0
        while True:
            batch.sleep(self.rate_limiter.reserve_turn())
            self.ledger.check_budget()
            attempt = self.ledger.record_attempt(key=key, model=self.endpoint.model, host=self.endpoint.host, by=get_current_actor())
            try:
                return self.client.complete_chat(messages, body), attempt
            except TransientEndpointError as error:
                self.ledger.record_attempt_end(attempt, error.status, key=key)
                tries += 1
                self._wait_before_retry(error, tries, batch)
            except (RequestRejectedError, FactoryError) as error:
                self.ledger.record_attempt_end(attempt, error.status if isinstance(error, RequestRejectedError) else "denied", key=key)
                raise

    def _wait_before_retry(self, error: TransientEndpointError, tries: int, batch: ConcurrentBatch) -> None:
        if tries > self.endpoint.retries or (error.retry_after or 0) > MAX_RETRY_AFTER:
            asked = f", and asks to wait {error.retry_after:.0f} s" if error.retry_after else ""
            raise UnavailableError(
                f"{self.endpoint.base_url} does not answer: {error} (tried {tries} times{asked}); "
                "what was answered is kept, and the same command goes on from there"
            ) from error
        self.stats.add(retried=1)
        if error.retry_after:
            self.rate_limiter.delay_all(error.retry_after)
        batch.sleep(compute_backoff(tries, error.retry_after))

    def _build_endpoint_reply(self, ask: ChatRequest, key: str, said: Sequence[ChatCompletionResult]) -> ChatResponse:
        """The reply that the last answer makes, with what all rounds took."""
        last = said[-1]
        tokens_in, tokens_out = sum(each.tokens_in for each in said), sum(each.tokens_out for each in said)
        facts: dict[str, Any] = {
            "model": self.endpoint.model, "prompt": key, "tokens_in": tokens_in, "tokens_out": tokens_out,
            "cost": self.endpoint.compute_cost(tokens_in, tokens_out), "seconds": round(sum(each.seconds for each in said), 3),
        }
        fault = f"the answer was cut off at {ask.max_tokens} tokens" if last.finish == LENGTH_FINISH_REASON else last.refusal
        if fault:
            return ChatResponse(last.text, error=fault, **facts)
        try:
            text, value = prompts.parse_answer(ask, last.text)
        except prompts.InvalidAnswerError as error:
            return ChatResponse(last.text, error=str(error), **facts)
        return ChatResponse(text, value, **facts)

    def _record_reply(self, attempt: str, said: ChatCompletionResult, reply: ChatResponse) -> None:
        """Keep a valid answer, and then say in the ledger that it is there: killed in between, nobody pays again."""
        if not reply.error:
            cache_reply(self.response_cache, reply, host=self.endpoint.host)
        status = "ok" if not reply.error else "truncated" if said.finish == LENGTH_FINISH_REASON else "invalid"
        cost = self.endpoint.compute_cost(said.tokens_in, said.tokens_out)
        self.ledger.record_attempt_end(
            attempt, status, key=reply.prompt_digest, tokens_in=said.tokens_in, tokens_out=said.tokens_out,
            cost=round(cost, 9), seconds=said.seconds,
        )
