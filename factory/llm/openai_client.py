"""One attempt of one request over HTTP through the `openai` SDK, with failures classified for the retry logic."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from factory.api import Endpoint, Message
from factory.errors import UnavailableError
from factory.llm.http_limits import REQUEST_HEADERS, ResponseRefusedError, build_http_client
from factory.llm.rate_limit import parse_retry_after
from factory.llm.reply_checks import find_choice_fault, find_text_fault
from factory.llm.secrets import collect_secrets, find_secret, redact_secrets
from factory.network_policy import find_denial

if TYPE_CHECKING:
    from openai import APIStatusError

TRANSIENT_STATUSES = frozenset({408, 409, 425, 429})
"""Statuses worth a retry, as are all from 500 on except UNSUPPORTED_STATUSES."""
UNSUPPORTED_STATUSES = frozenset({501, 505})
REQUEST_STATUSES = frozenset({400, 413, 422})
"""Statuses that concern one request; others may still succeed."""

EXCERPT_LENGTH = 80
"""Characters of a broken reply that its error quotes."""
MAX_TOKEN_COUNT = 1 << 31
"""Tokens that a reply can say it took."""

TIMEOUT_ERRORS = frozenset({"APITimeoutError", "TimeoutException", "TimeoutError"})
CONNECTION_ERRORS = frozenset({"APIConnectionError", "TransportError", "OSError"})
"""Names of classes: while a reply is read, errors come from the HTTP library below the SDK, and it varies."""


@dataclass(frozen=True, slots=True)
class ChatCompletionResult:
    """A completion: text, finish reason, tokens in and out, seconds; `refusal` says why the model did not answer."""

    text: str
    finish: str
    tokens_in: int
    tokens_out: int
    seconds: float
    refusal: str = ""


class TransientEndpointError(Exception):
    """A failure that a retry may overcome. `retry_after`: the seconds that the server asks to wait, if it does."""

    def __init__(self, status: str | int, text: str, retry_after: float | None = None) -> None:
        super().__init__(text)
        self.status, self.retry_after = status, retry_after


class RequestRejectedError(Exception):
    """The server rejects this request; a retry would not help."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class EndpointRejectedError(RequestRejectedError):
    """The server rejects every request: a wrong key, an unknown model, a used-up quota."""


class OpenAIClient:
    """The connection to an endpoint. The API key comes from the environment.

    Secrets of the environment are redacted from every error, and a reply that holds one counts as refused.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._api_key = _read_api_key(endpoint)
        try:
            from openai import OpenAI
        except ImportError as error:
            raise UnavailableError("endpoints need an extra: pip install 'specialist-factory[endpoint]'") from error
        self._secrets = collect_secrets(endpoint.key_env)
        self._client = OpenAI(
            api_key=self._api_key, base_url=endpoint.base_url, timeout=endpoint.timeout, max_retries=0,
            default_headers=REQUEST_HEADERS, http_client=build_http_client(endpoint),
        )

    def complete_chat(self, messages: Sequence[Message], body: Mapping[str, Any]) -> ChatCompletionResult:
        """Send one attempt.

        Raises TransientEndpointError, RequestRejectedError, EndpointRejectedError, or HostDeniedError as it is.
        """
        from openai import APIStatusError

        start = time.monotonic()
        try:
            content = self._read_response_bytes(messages, body, start + self.endpoint.timeout)
        except APIStatusError as error:
            raise self._classify_status_error(error) from None
        except Exception as error:
            if failure := self._classify_connection_error(error):
                raise failure from error
            raise
        return self._refuse_secrets(self._parse_content(content, time.monotonic() - start))

    def _parse_content(self, content: bytes, seconds: float) -> ChatCompletionResult:
        """Parse a reply of a model.

        Raises TransientEndpointError for bytes that are no chat completion: cut off, from a proxy, or by another model.
        """
        model = self.endpoint.reply_model or str(self.endpoint.extra_body.get("model") or self.endpoint.model)
        try:
            return _parse_completion(content, seconds, model)
        except _BrokenReplyError as error:
            excerpt = redact_secrets(content.decode(errors="replace"), self._secrets)[:EXCERPT_LENGTH]
            raise TransientEndpointError("broken", f"{error}: {excerpt!r}") from None

    def _refuse_secrets(self, result: ChatCompletionResult) -> ChatCompletionResult:
        """Return the result, without its texts if they hold a secret: it must not reach the cache, rows or a bundle."""
        found = find_secret(f"{result.text}\n{result.refusal}\n{result.finish}", self._secrets)
        if not found:
            return result
        return replace(result, text="", finish="", refusal=f"the reply holds the value of ${found}")

    def _read_response_bytes(self, messages: Sequence[Message], body: Mapping[str, Any], deadline: float) -> bytes:
        """Read the whole reply. Raises TimeoutError at the deadline, also while bytes are still arriving."""
        chat: Any = [{"role": message.role, "content": message.content} for message in messages]
        fields = {name: value for name, value in {**body, **self.endpoint.extra_body}.items() if value is not None}
        with self._client.chat.completions.with_streaming_response.create(
            model=self.endpoint.model, messages=chat, extra_body=fields
        ) as response:
            chunks = []
            for chunk in response.iter_bytes():
                chunks.append(chunk)
                # The SDK's timeout is per read: a server that drips its reply would never reach it.
                if time.monotonic() > deadline:
                    raise TimeoutError
            return b"".join(chunks)

    def _classify_status_error(self, error: APIStatusError) -> Exception:
        status, body = error.status_code, error.body if isinstance(error.body, dict) else {}
        text = self._redact_api_key(f"{status}: {body.get('message') or error.message}")
        if status == 429 and "insufficient_quota" in (body.get("code"), body.get("type")):
            return EndpointRejectedError(status, text)
        if status in TRANSIENT_STATUSES or (status >= 500 and status not in UNSUPPORTED_STATUSES):
            return TransientEndpointError(status, text, parse_retry_after(error.response.headers))
        return RequestRejectedError(status, text) if status in REQUEST_STATUSES else EndpointRejectedError(status, text)

    def _classify_connection_error(self, error: Exception) -> Exception | None:
        """Return the classified connection failure; None for any other error."""
        if denial := find_denial(error):
            return denial
        if isinstance(refused := _find_root_error(error), ResponseRefusedError):
            return TransientEndpointError("broken", str(refused))
        kinds = {kind.__name__ for kind in type(error).__mro__}
        if kinds & TIMEOUT_ERRORS:
            return TransientEndpointError("timeout", f"no answer within {self.endpoint.timeout:g} s")
        if kinds & CONNECTION_ERRORS:
            cause = self._redact_api_key(_find_root_cause(error))
            return TransientEndpointError("lost", f"the connection failed: {cause}")
        return None

    def _redact_api_key(self, text: str) -> str:
        """Return the text as one line with all secrets redacted: some servers repeat the key in errors."""
        short_keys = {self._api_key: self.endpoint.key_env} if self.endpoint.key_env else {}
        return redact_secrets(text, {**short_keys, **self._secrets})

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def _read_api_key(endpoint: Endpoint) -> str:
    """Read the API key from the environment. Raises UnavailableError with the variable's name, never its value."""
    if not endpoint.key_env:
        return "none"
    key = os.environ.get(endpoint.key_env, "").strip()
    if not key:
        raise UnavailableError(f"set the environment variable {endpoint.key_env} to the API key of {endpoint.base_url}")
    if not (key.isascii() and key.isprintable() and " " not in key):
        raise UnavailableError(f"the value of {endpoint.key_env} is not an API key: keys are ASCII without spaces")
    return key


class _BrokenReplyError(Exception):
    """Bytes that are no chat completion."""


def _parse_completion(content: bytes, seconds: float, model: str) -> ChatCompletionResult:
    """Parse a reply of a model. Raises _BrokenReplyError, also for the reply of another model."""
    try:
        reply = json.loads(content)
        choice, usage = reply["choices"][0], reply.get("usage") or {}
        message = choice["message"]
        text, finish = message.get("content") or "", str(choice.get("finish_reason") or "")
        refusal = f"the model refused: {message['refusal']}" if message.get("refusal") else ""
        tokens = _read_token_count(usage, "prompt_tokens"), _read_token_count(usage, "completion_tokens")
        fault = find_choice_fault(reply, model)
    except (ArithmeticError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise _BrokenReplyError("the reply is not a chat completion") from error
    if not isinstance(text, str):
        raise _BrokenReplyError("the reply's content is not text")
    if fault:
        raise _BrokenReplyError(f"the reply is not the answer to the request: {fault}")
    refusal = "the endpoint's content filter stopped the answer" if finish == "content_filter" else refusal
    if poison := find_text_fault(text):  # it could neither be sent back for a repair nor be kept
        text, refusal = "", f"the answer is broken: {poison}"
    return ChatCompletionResult(text, finish, *tokens, round(seconds, 3), refusal)


def _read_token_count(usage: Mapping[str, Any], name: str) -> int:
    """Return a number of tokens of a reply, 0 if it is unsaid or none that tokens can have.

    Raises ValueError for a number that JSON does not have.
    """
    count = usage.get(name)
    if isinstance(count, float) and not math.isfinite(count):
        raise ValueError(f"{name} is {count}")
    is_number = isinstance(count, int | float) and not isinstance(count, bool) and 0 <= count <= MAX_TOKEN_COUNT
    return int(count) if is_number and count is not None else 0


def _find_root_error(error: BaseException) -> BaseException:
    """Return the innermost cause of an error."""
    while error.__cause__ is not None or (error.__context__ is not None and not error.__suppress_context__):
        error = error.__cause__ or error.__context__ or error
    return error


def _find_root_cause(error: BaseException) -> str:
    """Return the first line of the innermost cause of an error."""
    root = _find_root_error(error)
    return next(iter(str(root).splitlines()), "") or type(root).__name__
