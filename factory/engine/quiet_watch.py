"""Notices stages from which nothing was heard for a long time, such as one whose plugin hangs."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from factory.events import Noted

QUIET_SECONDS = 600.0
"""Seconds without any event of a running stage after which that is said."""
CHECK_INTERVAL = 5.0
"""Seconds between two looks at the clock."""


@dataclass
class QuietWatch:
    """When each running stage was heard last, by `clock` in seconds; a silence is told once."""

    clock: Callable[[], float] = time.monotonic
    _heard_at: dict[str, float] = field(default_factory=dict)
    _told: set[str] = field(default_factory=set)

    def hear(self, stage: str) -> None:
        """Record that a stage began or sent something."""
        self._heard_at[stage] = self.clock()
        self._told.discard(stage)

    def forget(self, stage: str) -> None:
        """Record that a stage has ended."""
        self._heard_at.pop(stage, None)

    def find_quiet(self) -> list[Noted]:
        """Return a note for each stage that has been quiet for QUIET_SECONDS, unless that was told."""
        now = self.clock()
        quiet = [name for name, at in self._heard_at.items() if now - at >= QUIET_SECONDS and name not in self._told]
        self._told.update(quiet)
        text = f"no progress for {QUIET_SECONDS / 60:.0f} minutes; it may hang: Ctrl-C stops the build"
        return [Noted(name, "warning", text) for name in quiet]
