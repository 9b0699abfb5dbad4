"""Request rate limits, exponential backoff, and `Retry-After`."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

FIRST_BACKOFF, MAX_BACKOFF = 0.5, 30.0
"""Seconds: upper bound of the first wait, which doubles with every retry, and of all waits."""


class RateLimiter:
    """Spaces requests `1 / rate` seconds apart (0: no limit); `delay_all` holds all of them back."""

    def __init__(self, rate: float) -> None:
        self._interval = 1 / rate if rate else 0.0
        self._next = 0.0
        self._lock = threading.Lock()

    def reserve_turn(self) -> float:
        """Reserve the next slot; return the seconds until it begins."""
        with self._lock:
            now = time.monotonic()
            turn = max(now, self._next)
            self._next = turn + self._interval
            return turn - now

    def delay_all(self, seconds: float) -> None:
        """Start no request within the next `seconds`."""
        with self._lock:
            self._next = max(self._next, time.monotonic() + seconds)


def compute_backoff(tries: int, retry_after: float | None) -> float:
    """Return the seconds to wait after `tries` failures: exponential with full jitter, on top of `retry_after`.

    "Exponential Backoff And Jitter", AWS Architecture Blog, 2015: full jitter needs the fewest calls.
    """
    jitter = random.uniform(0, min(MAX_BACKOFF, FIRST_BACKOFF * 2 ** (tries - 1)))
    return jitter if retry_after is None else retry_after + min(jitter, FIRST_BACKOFF)


def parse_retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that a reply asks to wait, given as a number or a date; None when it does not ask."""
    if (milliseconds := _parse_seconds(headers.get("retry-after-ms", ""))) is not None:
        return milliseconds / 1000
    header = headers.get("retry-after", "")
    if (seconds := _parse_seconds(header)) is not None:
        return seconds
    try:
        return max(parsedate_to_datetime(header).timestamp() - time.time(), 0.0)
    except (TypeError, ValueError):
        return None


def _parse_seconds(text: str) -> float | None:
    try:
        seconds = float(text)
    except ValueError:
        return None
    return seconds if 0 <= seconds < float("inf") else None
