"""A journal that is still being written: what came since the last look, however the file changed meanwhile."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from factory.events import EVENT_VERSION, Event
from factory.store import journal

CHUNK = 1 << 20
"""Bytes that one look reads at most, so that a long journal does not hold up a key."""
AGAIN = 3
"""Looks without a new byte after which half a line is called torn."""


@dataclass
class Tail:
    """The reading end of one file of events; it remembers how far it came and which file it was."""

    path: Path
    offset: int = 0
    file: tuple[int, int] = (0, 0)
    """Device and inode."""
    pending: bytes = b""
    idle: int = 0
    spoilt: int = 0
    """Whole lines that were no events."""
    newer: bool = False
    """Whether a line is of a newer factory."""
    gone: bool = False
    caught_up: bool = field(default=False)

    @property
    def torn(self) -> bool:
        """Whether the last line is half a line that nobody finishes."""
        return bool(self.pending) and self.idle >= AGAIN

    def look(self) -> tuple[bool, list[tuple[float, Event]]]:
        """Whether it is another file than before, and the events since the last look; at most `CHUNK` bytes of them."""
        try:
            with self.path.open("rb") as file:
                fresh = self._same(file.fileno())
                file.seek(self.offset)
                data = file.read(CHUNK)
        except OSError:
            self.gone = True
            return False, []
        self.gone = False
        self.caught_up = len(data) < CHUNK
        self.idle = 0 if data else self.idle + 1
        self.offset += len(data)
        *lines, self.pending = (self.pending + data).split(b"\n")
        return fresh, [event for one in lines if (event := self._event(one)) is not None]

    def _same(self, handle: int) -> bool:
        """Begin anew when the file was replaced or cut; says whether it was."""
        import os

        found = os.fstat(handle)
        file = (found.st_dev, found.st_ino)
        fresh = self.file != (0, 0) and (file != self.file or found.st_size < self.offset)
        if fresh:
            self.offset, self.pending, self.spoilt, self.newer = 0, b"", 0, False
        self.file = file
        return fresh

    def _event(self, one: bytes) -> tuple[float, Event] | None:
        found, newer = parsed(one)
        self.newer = self.newer or newer
        self.spoilt += found is None and bool(one.strip())
        return found


def parsed(one: bytes) -> tuple[tuple[float, Event] | None, bool]:
    """The event on a line, None for none, and whether a newer factory wrote it."""
    found = journal.parse_event_line(one)
    if found is None or b'"v":' not in one:
        return found, False
    if f'"v":{EVENT_VERSION},'.encode() in one or f'"v": {EVENT_VERSION},'.encode() in one:
        return found, False
    payload: dict[str, Any] = json.loads(one)
    version = payload.get("v", EVENT_VERSION)
    return found, isinstance(version, int) and version > EVENT_VERSION
