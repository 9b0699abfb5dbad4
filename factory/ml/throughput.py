"""Training throughput: the tokens that this process has packed into batches."""

from __future__ import annotations

import time
from collections.abc import Sequence


class ThroughputMeter:
    """Counts tokens and measures tokens per second."""

    def __init__(self) -> None:
        self.tokens = 0
        self._last_reading = (time.monotonic(), 0)

    def count_tokens(self, ids: Sequence[Sequence[int]]) -> None:
        """Add the tokens of tokenised texts."""
        self.tokens += sum(map(len, ids))

    def measure_rate(self) -> float:
        """Return tokens per second since the previous call (at first, since creation); 0.0 when no time has passed."""
        (last_time, last_tokens), now = self._last_reading, time.monotonic()
        self._last_reading = (now, self.tokens)
        return (self.tokens - last_tokens) / (now - last_time) if now > last_time else 0.0


METER = ThroughputMeter()
"""The meter of this process, which trains one model at a time."""
