"""How many tokens this process packed for a model: what a fit reads its speed off."""

from __future__ import annotations

import time
from collections.abc import Sequence


class ThroughputMeter:
    """Tokens so far, and how many a second since it was last asked."""

    def __init__(self) -> None:
        self.tokens = 0
        self._last_reading = (time.monotonic(), 0)

    def count_tokens(self, ids: Sequence[Sequence[int]]) -> None:
        """Count the tokens of some texts."""
        self.tokens += sum(map(len, ids))

    def measure_rate(self) -> float:
        """Tokens a second since the last call, or since the beginning; 0.0 when there was no time between."""
        (then, before), now = self._last_reading, time.monotonic()
        self._last_reading = (now, self.tokens)
        return (self.tokens - before) / (now - then) if now > then else 0.0


METER = ThroughputMeter()
"""Of this process: batches are packed one fit at a time."""
