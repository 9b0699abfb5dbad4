"""One request from its key to its reply: retries of transient failures and one repair round for an invalid answer."""

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
"""Seconds; a server that asks to wait longer ends the build with an error."""
LENGTH_FINISH_REASON = "length"
"""The `finish_reason` of an answer that was cut off at `max_tokens`."""


@dataclass
class RetryingClient:
    """Sends requests to one endpoint and caches its answers.

    `schema_in_prompt`: the endpoint rejects `response_format`, so the prompt describes the schema.
    """

    endpoint: Endpoint
    client: OpenAIClient
    response_cache: ResponseCache
    ledger: Ledger
    stats: TeacherStats
    rate_limiter: RateLimiter
    schema_in_prompt: bool = field(default=False)

    def request_reply(self, ask: ChatRequest, key: str, batch: ConcurrentBatch) -> ChatResponse:
        """Return the reply to a request, after one repair round if the answer is not valid."""
        first, attempt = self._send_first_round(ask, key, batch)
        reply = self._build_endpoint_reply(ask, key, [first])
        self._record_reply(attempt, first, reply)
        if not reply.error or not (ask.schema or ask.choices) or first.finish == LENGTH_FINISH_REASON or first.refusal:
            return reply  # a repair would run into the same limit, or the same refusal
        self.stats.add(repaired=1)
        body = self._build_request_body(ask, None if self.schema_in_prompt else prompts.build_answer_schema(ask))
        messages = prompts.build_repair_messages(ask, first.text, reply.error)
        second, attempt = self._send_with_retries(messages, body, key, batch)
        reply = self._build_endpoint_reply(ask, key, [first, second])
        self._record_reply(attempt, second, reply)
        return reply

    def _send_first_round(self, ask: ChatRequest, key: str, batch: ConcurrentBatch) -> tuple[ChatCompletionResult, str]:
        """Send with the schema as `response_format`; once the server has rejected that, describe it in the prompt."""
        schema = prompts.build_answer_schema(ask)
        plain_body = self._build_request_body(ask, None)
        if schema is None or self.schema_in_prompt:
            return self._send_with_retries(prompts.add_format_instructions(ask), plain_body, key, batch)
        try:
            return self._send_with_retries(ask.messages, self._build_request_body(ask, schema), key, batch)
        except EndpointRejectedError:
            raise
        except RequestRejectedError:
            result = self._send_with_retries(prompts.add_format_instructions(ask), plain_body, key, batch)
            self.schema_in_prompt = True  # only now: the rejection may have had another cause
            return result

    def _build_request_body(self, ask: ChatRequest, schema: Mapping[str, Any] | None) -> dict[str, Any]:
        body: dict[str, Any] = {"temperature": ask.temperature, "max_tokens": ask.max_tokens}
        if ask.temperature > 0:
            body["seed"] = ask.sample_index
        if schema is not None:
            strict_schema = {"name": "answer", "strict": True, "schema": schema}
            body["response_format"] = {"type": "json_schema", "json_schema": strict_schema}
        return body

    def _send_with_retries(
        self, messages: Sequence[Message], body: Mapping[str, Any], key: str, batch: ConcurrentBatch
    ) -> tuple[ChatCompletionResult, str]:
        """Return the completion and its ledger attempt, which the caller ends once it knows if the answer is valid."""
        tries = 0
        while True:
            batch.sleep(self.rate_limiter.reserve_turn())
            self.ledger.check_budget()
            attempt = self.ledger.record_attempt(
                key=key, model=self.endpoint.model, host=self.endpoint.host, by=get_current_actor()
            )
            try:
                return self.client.complete_chat(messages, body), attempt
            except TransientEndpointError as error:
                self.ledger.record_attempt_end(attempt, error.status, key=key)
                tries += 1
                self._wait_before_retry(error, tries, batch)
            except (RequestRejectedError, FactoryError) as error:
                status = error.status if isinstance(error, RequestRejectedError) else "denied"
                self.ledger.record_attempt_end(attempt, status, key=key)
                raise

    def _wait_before_retry(self, error: TransientEndpointError, tries: int, batch: ConcurrentBatch) -> None:
        if tries > self.endpoint.retries or (error.retry_after or 0) > MAX_RETRY_AFTER:
            delay = f", retry after {error.retry_after:.0f} s" if error.retry_after else ""
            raise UnavailableError(
                f"{self.endpoint.base_url} does not answer: {error} (tried {tries} times{delay}); "
                "answers so far are cached; run the same command again to continue"
            ) from error
        self.stats.add(retried=1)
        if error.retry_after:
            self.rate_limiter.delay_all(error.retry_after)
        batch.sleep(compute_backoff(tries, error.retry_after))

    def _build_endpoint_reply(self, ask: ChatRequest, key: str, rounds: Sequence[ChatCompletionResult]) -> ChatResponse:
        """Return the reply of the last round with the tokens, cost and seconds of all rounds."""
        last = rounds[-1]
        tokens_in, tokens_out = sum(result.tokens_in for result in rounds), sum(result.tokens_out for result in rounds)
        seconds = round(sum(result.seconds for result in rounds), 3)
        usage: dict[str, Any] = {
            "model": self.endpoint.model, "prompt_digest": key, "input_tokens": tokens_in, "output_tokens": tokens_out,
            "cost": self.endpoint.compute_cost(tokens_in, tokens_out), "seconds": seconds,
        }
        fault = last.refusal
        if last.finish == LENGTH_FINISH_REASON:
            fault = f"the answer was cut off at {ask.max_tokens} tokens"
        if fault:
            return ChatResponse(last.text, error=fault, **usage)
        try:
            text, value = prompts.parse_answer(ask, last.text)
        except prompts.InvalidAnswerError as error:
            return ChatResponse(last.text, error=str(error), **usage)
        return ChatResponse(text, value, **usage)

    def _record_reply(self, attempt: str, result: ChatCompletionResult, reply: ChatResponse) -> None:
        """Cache a valid answer, then end its ledger attempt; in that order, a kill in between costs no second call."""
        if not reply.error:
            cache_reply(self.response_cache, reply, host=self.endpoint.host)
        status = "ok" if not reply.error else "truncated" if result.finish == LENGTH_FINISH_REASON else "invalid"
        cost = self.endpoint.compute_cost(result.tokens_in, result.tokens_out)
        self.ledger.record_attempt_end(
            attempt, status, key=reply.prompt_digest, tokens_in=result.tokens_in, tokens_out=result.tokens_out,
            cost=round(cost, 9), seconds=result.seconds,
        )
