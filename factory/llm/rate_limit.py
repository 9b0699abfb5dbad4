"""How fast to ask, and how long to wait before asking again."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

FIRST_BACKOFF, MAX_BACKOFF = 0.5, 30.0
"""Seconds: the longest first wait, which doubles with every try, and the longest of all."""


class RateLimiter:
    """Spaces requests `1 / rate` seconds apart (0: no limit), and holds all of them back when the server says so."""

    def __init__(self, rate: float) -> None:
        self._interval = 1 / rate if rate else 0.0
        self._next = 0.0
        self._lock = threading.Lock()

    def reserve_turn(self) -> float:
        """Take the next turn: it comes in so many seconds."""
        with self._lock:
            now = time.monotonic()
            turn = max(now, self._next)
            self._next = turn + self._interval
            return turn - now

    def delay_all(self, seconds: float) -> None:
        """Let nobody begin within so many seconds."""
        with self._lock:
            self._next = max(self._next, time.monotonic() + seconds)


def compute_backoff(tries: int, after: float | None) -> float:
    """Seconds to wait after so many failed tries: exponential with full jitter, on top of what the server asked for.

    "Exponential Backoff And Jitter", AWS Architecture Blog, 2015: full jitter needs the fewest calls.
    """
    jitter = random.uniform(0, min(MAX_BACKOFF, FIRST_BACKOFF * 2 ** (tries - 1)))
    return jitter if after is None else after + min(jitter, FIRST_BACKOFF)


def parse_retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that a reply asks to wait: a number, or the time until a date; None when it does not say."""
    exact = _parse_seconds(headers.get("retry-after-ms", ""))
    if exact is not None:
        return exact / 1000
    said = headers.get("retry-after", "")
    number = _parse_seconds(said)
    if number is not None:
        return number
    try:
        return max(parsedate_to_datetime(said).timestamp() - time.time(), 0.0)
    except (TypeError, ValueError):
        return None


def _parse_seconds(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if 0 <= number < float("inf") else None
