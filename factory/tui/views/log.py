"""The log of a run: its notes by time, then the end of its worker's log file."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from factory.tui.rich_text import Line, make_line, sanitise, wrap_line

MAX_LINES, MAX_BYTES = 200, 1 << 16
"""Lines of the log file that are kept, out of so many bytes at its end."""


@dataclass
class LogTail:
    """The end of a text file that another process appends to."""

    path: Path
    fingerprint: tuple[int, int] = (-1, -1)
    """(size, modification time in nanoseconds) when it was read."""
    lines: list[str] = field(default_factory=list)

    def poll(self) -> bool:
        """Read the end again if the file changed. Returns whether it did."""
        try:
            status = self.path.stat()
            fingerprint = (status.st_size, status.st_mtime_ns)
            if fingerprint == self.fingerprint:
                return False
            with self.path.open("rb") as file:
                file.seek(max(0, status.st_size - MAX_BYTES))
                text = file.read().decode("utf-8", "replace")
        except OSError:
            changed, self.fingerprint, self.lines = bool(self.lines), (-1, -1), []
            return changed
        self.fingerprint = fingerprint
        # Progress bars overwrite their line with a carriage return: only the last state counts.
        lines = [sanitise(line.rstrip("\r").rsplit("\r", 1)[-1]) for line in text.split("\n") if line.strip()]
        self.lines = lines[-MAX_LINES:]
        return True


def render_page(notes: Iterable[tuple[float, str, str, str]], log: Iterable[str], width: int) -> list[Line]:
    """Return the notes, each given as (time, stage, level, text), then the lines of the log file."""
    lines: list[Line] = []
    for at, stage, level, text in notes:
        clock = time.strftime("%H:%M:%S", time.localtime(at))
        sign, tone = ("!", "warn") if level == "warning" else ("·", "")
        source = (f"{sanitise(stage) or 'build'}: ", "head")
        lines += wrap_line(make_line((f"{clock} {sign} ", tone or "dim"), source, (sanitise(text), tone)), width, 11)
    for text in log:
        lines += wrap_line(make_line((text, "dim")), width, 2)
    return lines or [make_line(("no messages yet", "dim"))]
