"""Follow a journal while it is written: new events since the last read, also when the file is replaced or cut."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from factory.events import Event
from factory.store.journal import parse_versioned_line

READ_BYTES = 1 << 20
"""Bytes per read at most, so that a long journal does not delay a key press."""
TORN_AFTER = 3
"""Reads without a new byte after which an incomplete last line counts as torn."""


@dataclass
class JournalFollower:
    """Reads a journal from where the last read ended, and remembers which file that was."""

    path: Path
    offset: int = 0
    file_id: tuple[int, int] = (0, 0)
    """Device and inode."""
    pending: bytes = b""
    idle: int = 0
    invalid_lines: int = 0
    newer_version: bool = False
    """Whether any event was written by a newer factory."""
    missing: bool = False
    caught_up: bool = False

    @property
    def torn(self) -> bool:
        """Whether the last line is incomplete and its writer seems to have died."""
        return bool(self.pending) and self.idle >= TORN_AFTER

    def read_new_events(self) -> tuple[bool, list[tuple[float, Event]]]:
        """Read up to `READ_BYTES`. Returns whether the file was replaced, and the events since the last read."""
        try:
            with self.path.open("rb") as file:
                replaced = self._detect_replacement(file.fileno())
                file.seek(self.offset)
                data = file.read(READ_BYTES)
        except OSError:
            self.missing = True
            return False, []
        self.missing = False
        self.caught_up = len(data) < READ_BYTES
        self.idle = 0 if data else self.idle + 1
        self.offset += len(data)
        # The last piece has no newline yet: keep it until the rest of the line is written.
        *lines, self.pending = (self.pending + data).split(b"\n")
        parsed = [(line, *parse_versioned_line(line)) for line in lines]
        self.newer_version |= any(newer for _, _, newer in parsed)
        self.invalid_lines += sum(event is None and bool(line.strip()) for line, event, _ in parsed)
        return replaced, [event for _, event, _ in parsed if event is not None]

    def _detect_replacement(self, descriptor: int) -> bool:
        """Restart when the file was replaced or truncated. Returns whether it was."""
        status = os.fstat(descriptor)
        file_id = (status.st_dev, status.st_ino)
        # Another inode is a replaced file; a size below our offset is a truncated one.
        replaced = self.file_id != (0, 0) and (file_id != self.file_id or status.st_size < self.offset)
        if replaced:
            self.offset, self.pending, self.invalid_lines, self.newer_version = 0, b"", 0, False
        self.file_id = file_id
        return replaced
