"""One request from its key to its reply: retries of transient failures and one repair round for an invalid answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from factory.api import ChatRequest, ChatResponse, Endpoint, Message
from factory.errors import UnavailableError
from factory.llm import prompts
from factory.llm.cache_stats import TeacherStats
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
"""Seconds; a server that asks for a longer wait ends the build with an error."""
LENGTH_FINISH_REASON = "length"
"""The `finish_reason` of an answer that was cut off at `max_tokens`."""
BYTES_PER_TOKEN = 4
"""Usual size of a token, for endpoints that do not say how many a request took."""
MESSAGE_TOKENS = 16
"""Tokens that a chat template may add to a message, at most."""
TOKEN_LIMIT_FIELDS = ("max_tokens", "max_completion_tokens")
RESERVE_INTERVAL = 0.02
"""Seconds between two tries to reserve a request's share of the budget."""


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
    schema_in_prompt: bool = False

    def request_reply(self, request: ChatRequest, key: str, batch: ConcurrentBatch) -> ChatResponse:
        """Return the reply to a request, after one repair round if the answer is not valid."""
        first, attempt = self._send_first_round(request, key, batch)
        reply = self._build_endpoint_reply(request, key, [first])
        self._record_reply(attempt, first, reply)
        has_format = request.schema or request.choices
        if not reply.error or not has_format or first.finish == LENGTH_FINISH_REASON or first.refusal:
            return reply  # a repair would run into the same limit, or the same refusal
        self.stats.add(repaired=1)
        schema = None if self.schema_in_prompt else prompts.build_answer_schema(request)
        body = self._build_request_body(request, schema)
        messages = prompts.build_repair_messages(request, first.text, reply.error)
        second, attempt = self._send_with_retries(messages, body, key, batch)
        reply = self._build_endpoint_reply(request, key, [first, second])
        self._record_reply(attempt, second, reply)
        return reply

    def _send_first_round(
        self, request: ChatRequest, key: str, batch: ConcurrentBatch
    ) -> tuple[ChatCompletionResult, str]:
        """Send with the schema as `response_format`; once the server has rejected that, describe it in the prompt."""
        schema = prompts.build_answer_schema(request)
        plain_body = self._build_request_body(request, None)
        if schema is None or self.schema_in_prompt:
            return self._send_with_retries(prompts.add_format_instructions(request), plain_body, key, batch)
        try:
            return self._send_with_retries(request.messages, self._build_request_body(request, schema), key, batch)
        except EndpointRejectedError:
            raise
        except RequestRejectedError:
            result = self._send_with_retries(prompts.add_format_instructions(request), plain_body, key, batch)
            self.schema_in_prompt = True  # only after a success: the rejection may have had another cause
            return result

    def _build_request_body(self, request: ChatRequest, schema: Mapping[str, Any] | None) -> dict[str, Any]:
        body: dict[str, Any] = {"temperature": request.temperature, "max_tokens": request.max_tokens}
        if request.temperature > 0:
            body["seed"] = request.sample_index
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
            attempt = self._reserve_attempt(messages, body, key, batch)
            try:
                return _fill_usage(self.client.complete_chat(messages, body), messages), attempt
            except TransientEndpointError as error:
                # A broken reply was computed, and is paid for.
                used = _estimate_tokens(messages) if error.status == "broken" else 0
                cost = round(self.endpoint.compute_cost(used, 0), 9)
                self.ledger.record_attempt_end(attempt, error.status, key=key, tokens_in=used, tokens_out=0, cost=cost)
                tries += 1
                self._wait_before_retry(error, tries, batch)
            except BaseException as error:
                status = error.status if isinstance(error, RequestRejectedError) else "denied"
                self.ledger.record_attempt_end(attempt, status, key=key)
                raise

    def _reserve_attempt(
        self, messages: Sequence[Message], body: Mapping[str, Any], key: str, batch: ConcurrentBatch
    ) -> str:
        """Return the ledger's id of an attempt, once the budget has room for the most that it can take."""
        limits = (body["max_tokens"], *(self.endpoint.extra_body.get(name) for name in TOKEN_LIMIT_FIELDS))
        answer = max(limit for limit in limits if isinstance(limit, int))
        prompt = sum(len(message.content.encode(errors="replace")) + MESSAGE_TOKENS for message in messages)
        fields = {"key": key, "model": self.endpoint.model, "host": self.endpoint.host, "by": get_current_actor()}
        cost = self.endpoint.compute_cost(prompt, answer)
        while not (attempt := self.ledger.reserve_attempt(prompt + answer, cost, **fields)):
            batch.sleep(RESERVE_INTERVAL)
        return attempt

    def _wait_before_retry(self, error: TransientEndpointError, tries: int, batch: ConcurrentBatch) -> None:
        if tries > self.endpoint.retries or (error.retry_after or 0) > MAX_RETRY_AFTER:
            delay = f", retry after {error.retry_after:.0f} s" if error.retry_after else ""
            raise UnavailableError(
                f"{self.endpoint.base_url} does not answer: {error} (tried {tries} time{'s' * (tries != 1)}{delay}); "
                "run the same command again to continue: answers so far are cached"
            ) from error
        self.stats.add(retried=1)
        if error.retry_after:
            self.rate_limiter.delay_all(error.retry_after)
        batch.sleep(compute_backoff(tries, error.retry_after))

    def _build_endpoint_reply(
        self, request: ChatRequest, key: str, rounds: Sequence[ChatCompletionResult]
    ) -> ChatResponse:
        """Return the reply of the last round with the tokens, cost and seconds of all rounds."""
        last = rounds[-1]
        tokens_in, tokens_out = sum(result.tokens_in for result in rounds), sum(result.tokens_out for result in rounds)
        text, value, fault = last.text, None, last.refusal
        if last.finish == LENGTH_FINISH_REASON:
            fault = f"the answer was cut off at {request.max_tokens} tokens"
        if not fault:
            try:
                text, value = prompts.parse_answer(request, last.text)
            except prompts.InvalidAnswerError as error:
                fault = str(error)
        return ChatResponse(
            text, value, fault, model=self.endpoint.model, prompt_digest=key, input_tokens=tokens_in,
            output_tokens=tokens_out, cost=self.endpoint.compute_cost(tokens_in, tokens_out),
            seconds=round(sum(result.seconds for result in rounds), 3),
        )

    def _record_reply(self, attempt: str, result: ChatCompletionResult, reply: ChatResponse) -> None:
        """Cache a valid answer, then end its attempt: after a kill in between, the answer is not requested again."""
        if not reply.error:
            self.response_cache.write_reply(reply, host=self.endpoint.host)
        status = "ok" if not reply.error else "truncated" if result.finish == LENGTH_FINISH_REASON else "invalid"
        cost = round(self.endpoint.compute_cost(result.tokens_in, result.tokens_out), 9)
        self.ledger.record_attempt_end(
            attempt, status, key=reply.prompt_digest, tokens_in=result.tokens_in, tokens_out=result.tokens_out,
            cost=cost, seconds=result.seconds,
        )


def _fill_usage(result: ChatCompletionResult, messages: Sequence[Message]) -> ChatCompletionResult:
    """Return a completion with an estimate of the tokens that its endpoint did not count."""
    written = -(-len(result.text.encode(errors="replace")) // BYTES_PER_TOKEN)
    tokens_in, tokens_out = result.tokens_in or _estimate_tokens(messages), result.tokens_out or written
    return replace(result, tokens_in=tokens_in, tokens_out=tokens_out)


def _estimate_tokens(messages: Sequence[Message]) -> int:
    """Return about how many tokens a prompt has, at least one."""
    return max(1, sum(len(message.content.encode(errors="replace")) for message in messages) // BYTES_PER_TOKEN)
