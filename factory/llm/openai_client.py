"""One attempt of one request over HTTP, through the `openai` SDK: what came back, or what kind of failure it was."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from factory.api import Endpoint, Message
from factory.errors import UnavailableError
from factory.llm.rate_limit import parse_retry_after
from factory.network_policy import find_denial

if TYPE_CHECKING:
    from openai import APIStatusError, OpenAI

TRANSIENT_STATUSES = frozenset({408, 409, 425, 429})
"""Statuses that may be gone the next time; so may all from 500 on, but for those of a server that can not."""
UNSUPPORTED_STATUSES = frozenset({501, 505})
REQUEST_STATUSES = frozenset({400, 413, 422})
"""Statuses that speak of one request: the next one may be answered."""

TIMEOUT_ERRORS = frozenset({"APITimeoutError", "TimeoutException", "TimeoutError"})
CONNECTION_ERRORS = frozenset({"APIConnectionError", "TransportError", "OSError"})
"""Errors of the SDK and, while a reply is read, of the HTTP library below it, whose name changes with the SDK."""


@dataclass(frozen=True, slots=True)
class ChatCompletionResult:
    """What a model said: its text, why it ended, what it read and wrote in tokens, and how long that took.

    `refusal` says in words that it would not answer.
    """

    text: str
    finish: str
    tokens_in: int
    tokens_out: int
    seconds: float
    refusal: str = ""


class TransientEndpointError(Exception):
    """A failure that may not be there the next time. `after`: the seconds to wait, where the server says so."""

    def __init__(self, status: str | int, text: str, after: float | None = None) -> None:
        super().__init__(text)
        self.status, self.retry_after = status, after


class RequestRejectedError(Exception):
    """The server will not answer this request, however often it is asked."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class EndpointRejectedError(RequestRejectedError):
    """The server will answer no request: a wrong key, no such model, an empty account."""


class OpenAIClient:
    """The way to an endpoint. The key is read when the first request leaves, and stands in no text of an error."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._api_key = _read_api_key(endpoint)
        self._client = _create_openai_client(endpoint, self._api_key)

    def complete_chat(self, messages: Sequence[Message], body: Mapping[str, Any]) -> ChatCompletionResult:
        """One attempt. Raises PassingError, RefusedError or LastingError; a denied host raises as it is."""
        from openai import APIStatusError

        start = time.monotonic()
        try:
            content = self._read_response_bytes(messages, body, start + self.endpoint.timeout)
        except APIStatusError as error:
            raise self._classify_status_error(error) from None
        except Exception as error:
            broken = self._classify_connection_error(error)
            if broken is None:
                raise
            raise broken from error
        return _parse_completion(content, time.monotonic() - start)

    def _read_response_bytes(self, messages: Sequence[Message], body: Mapping[str, Any], deadline: float) -> bytes:
        """The reply's bytes. A server that drips them is given up at the deadline, as one that is silent is."""
        said: Any = [{"role": message.role, "content": message.content} for message in messages]
        fields = {name: value for name, value in {**body, **self.endpoint.body}.items() if value is not None}
        with self._client.chat.completions.with_streaming_response.create(
            model=self.endpoint.model, messages=said, extra_body=fields
        ) as response:
            parts = []
            for part in response.iter_bytes():
                parts.append(part)
                if time.monotonic() > deadline:
                    raise TimeoutError
            return b"".join(parts)

    def _classify_status_error(self, error: APIStatusError) -> Exception:
        status, body = error.status_code, error.body if isinstance(error.body, dict) else {}
        text = self._redact_api_key(f"{status}: {body.get('message') or error.message}")
        if status == 429 and "insufficient_quota" in (body.get("code"), body.get("type")):
            return EndpointRejectedError(status, text)
        if status in TRANSIENT_STATUSES or (status >= 500 and status not in UNSUPPORTED_STATUSES):
            return TransientEndpointError(status, text, parse_retry_after(error.response.headers))
        return RequestRejectedError(status, text) if status in REQUEST_STATUSES else EndpointRejectedError(status, text)

    def _classify_connection_error(self, error: Exception) -> Exception | None:
        """What a failure of the connection means; None for an error that is none."""
        if found := find_denial(error):
            return found
        kinds = {kind.__name__ for kind in type(error).__mro__}
        if kinds & TIMEOUT_ERRORS:
            return TransientEndpointError("timeout", f"no answer within {self.endpoint.timeout:g} s")
        if kinds & CONNECTION_ERRORS:
            return TransientEndpointError("lost", f"the connection failed: {self._redact_api_key(_find_root_cause(error))}")
        return None

    def _redact_api_key(self, text: str) -> str:
        """One line, without the key, which some servers repeat."""
        line = " ".join(text.split())
        return line.replace(self._api_key, f"${self.endpoint.key_env}") if self.endpoint.key_env else line

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()


def _read_api_key(endpoint: Endpoint) -> str:
    """The key that the environment holds. Raises UnavailableError that names the variable, never its value."""
    if not endpoint.key_env:
        return "none"
    key = os.environ.get(endpoint.key_env, "").strip()
    if not key:
        said = f"set the environment variable {endpoint.key_env}, which holds the key of {endpoint.base_url}"
        raise UnavailableError(said)
    if not (key.isascii() and key.isprintable() and " " not in key):
        raise UnavailableError(f"the environment variable {endpoint.key_env} holds no key: one is of visible ASCII")
    return key


def _create_openai_client(endpoint: Endpoint, key: str) -> OpenAI:
    try:
        from openai import OpenAI
    except ImportError as error:
        raise UnavailableError("an endpoint needs the extra: pip install 'specialist-factory[endpoint]'") from error
    return OpenAI(api_key=key, base_url=endpoint.base_url, timeout=endpoint.timeout, max_retries=0)


def _parse_completion(content: bytes, seconds: float) -> ChatCompletionResult:
    """The message of a reply. Raises PassingError for what is no reply: cut off, or of something in between."""
    try:
        reply = json.loads(content)
        choice, usage = reply["choices"][0], reply.get("usage") or {}
        message = choice["message"]
        text, finish = message.get("content") or "", str(choice.get("finish_reason") or "")
        refusal = f"the model refuses: {message['refusal']}" if message.get("refusal") else ""
        tokens = int(usage.get("prompt_tokens") or 0), int(usage.get("completion_tokens") or 0)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise TransientEndpointError("broken", f"the reply holds no message: {content[:80]!r}") from error
    if not isinstance(text, str):
        raise TransientEndpointError("broken", f"the reply's message is no text: {content[:80]!r}")
    refusal = "the endpoint's filter stopped the answer" if finish == "content_filter" else refusal
    return ChatCompletionResult(text, finish, *tokens, round(seconds, 3), refusal)


def _find_root_cause(error: BaseException) -> str:
    """What is at the bottom of an error, in one line."""
    while error.__cause__ is not None or (error.__context__ is not None and not error.__suppress_context__):
        error = error.__cause__ or error.__context__ or error
    return next(iter(str(error).splitlines()), "") or type(error).__name__
