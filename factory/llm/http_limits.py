"""The HTTP client of an endpoint: a reply is of bounded size and not compressed, and private hosts have no proxy."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from factory.api import Endpoint
from factory.network_policy import find_proxy

MAX_RESPONSE_BYTES = 8 << 20
"""Bytes of a reply: a hundred times what a model writes at its longest."""
REQUEST_HEADERS = {"Accept-Encoding": "identity"}
"""A compressed reply is refused, as half a megabyte of gzip may unpack to gigabytes."""


class ResponseRefusedError(Exception):
    """A reply that is compressed or too large; the message is one line."""


def build_http_client(endpoint: Endpoint) -> Any:
    """Return the client for `OpenAI(http_client=…)`, which goes through the proxy of the environment if there is one.

    The settings are given by hand: the HTTP library would send requests for this machine to a proxy as well.
    """
    from openai import DefaultHttpxClient

    proxy = find_proxy(urlsplit(endpoint.base_url).scheme.lower(), endpoint.host)
    direct = {"http://": None, "https://": None, "all://": None}
    route: dict[str, Any] = {"proxy": proxy} if proxy else {"mounts": direct}
    return DefaultHttpxClient(event_hooks={"response": [_limit_response]}, **route)


def _limit_response(response: Any) -> None:
    """Bound a response before any of it is read, also if its status is an error."""
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        raise ResponseRefusedError(f"the reply is compressed ({encoding[:20]}), which was not asked for")
    library = importlib.import_module(type(response).__module__.partition(".")[0])  # httpx, or httpx2 of newer SDKs
    response.stream = _build_stream_class(library.SyncByteStream)(response.stream)


@cache
def _build_stream_class(base: type) -> Any:
    class LimitedStream(base):  # type: ignore[misc]  # the class of whichever HTTP library the SDK uses
        """A stream that ends with an error beyond MAX_RESPONSE_BYTES."""

        def __init__(self, stream: Any) -> None:
            self._stream = stream

        def __iter__(self) -> Iterator[bytes]:
            size = 0
            for chunk in self._stream:
                size += len(chunk)
                if size > MAX_RESPONSE_BYTES:
                    raise ResponseRefusedError(f"the reply is larger than {MAX_RESPONSE_BYTES >> 20} MiB")
                yield chunk

        def close(self) -> None:
            self._stream.close()

    return LimitedStream
