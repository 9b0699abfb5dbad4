"""What a run said: its notes by time, and the end of its worker's log."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from factory.tui.rich_text import Line, make_line, sanitise, wrap_line

LAST = 200
"""Lines of the log that are kept."""
BYTES = 1 << 16


@dataclass
class LogTail:
    """The end of a text file that others write to."""

    path: Path
    seen: tuple[int, int] = (-1, -1)
    lines: list[str] = field(default_factory=list)

    def poll(self) -> bool:
        """Read the end again if the file changed; whether it did."""
        try:
            now = self.path.stat()
            print_of = (now.st_size, now.st_mtime_ns)
            if print_of == self.seen:
                return False
            with self.path.open("rb") as file:
                file.seek(max(0, now.st_size - BYTES))
                data = file.read().decode("utf-8", "replace")
        except OSError:
            changed, self.seen, self.lines = bool(self.lines), (-1, -1), []
            return changed
        self.seen = print_of
        self.lines = [sanitise(each.rstrip("\r").rsplit("\r", 1)[-1]) for each in data.split("\n") if each.strip()][
            -LAST:
        ]
        return True


def render_page(notes: Iterable[tuple[float, str, str, str]], log: Iterable[str], room: int) -> list[Line]:
    """Notes first, each with its time, then the log."""
    found: list[Line] = []
    for at, stage, level, text in notes:
        when = time.strftime("%H:%M:%S", time.localtime(at))
        sign, tone = ("!", "warn") if level == "warning" else ("·", "")
        head = make_line(
            (f"{when} {sign} ", tone or "dim"),
            (f"{sanitise(stage) or 'build'}: ", "head"),
            (sanitise(text), tone),
        )
        found += wrap_line(head, room, 11)
    for text in log:
        found += wrap_line(make_line((text, "dim")), room, 2)
    return found or [make_line(("no messages yet", "dim"))]
