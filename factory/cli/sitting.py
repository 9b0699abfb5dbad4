"""A reviewer at a plain terminal: a row, a key, the next row. From a pipe, a line is a key with what belongs to it."""

from __future__ import annotations

import json
import os
import shutil
import sys
import textwrap
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import click

from factory.cli import out
from factory.errors import InputError
from factory.report.words import clean
from factory.review import ACCEPT, EDIT, REJECT, SKIP, ReviewSession, ReviewItem
from factory.review.desk import parse_edited_value, format_editable_value

KEYS = {
    "a": "accept", "r": "reject", "n": "reject with a note", "e": "edit", "s": "skip", "b": "back", "q": "quit",
}
WIDTH = 100
Key = tuple[str, str]
"""A key, and what followed it on its line: the edited answer, or the note."""


def pressed() -> Iterator[Key]:
    """Single keys of a terminal, until Ctrl-D. What was typed while a row was written is not lost."""
    import select
    import termios
    import tty

    handle = sys.stdin.fileno()
    while True:
        before = termios.tcgetattr(handle)
        try:
            tty.setcbreak(handle, termios.TCSADRAIN)
            key = os.read(handle, 1)
            while key == b"\x1b" and select.select([handle], [], [], 0)[0]:
                os.read(handle, 1)  # the rest of an arrow or another key that writes several
        finally:
            termios.tcsetattr(handle, termios.TCSADRAIN, before)
        if key in (b"", b"\x04"):
            return
        yield key.decode("utf-8", "replace").lower(), ""


def piped() -> Iterator[Key]:
    """The lines of a pipe, such as `a`, or `e A better answer`."""
    for line in sys.stdin:
        if line.strip():
            key, _, rest = line.rstrip("\n").partition(" ")
            yield key.lower()[:1], rest


def edited(before: str) -> str | None:
    """What a person made of a text in their $EDITOR; None when they left it as it was."""
    after = click.edit(before, extension=".txt")
    return None if after is None else after.rstrip("\n") if not before.endswith("\n") else after


@dataclass
class Sitting:
    """One run of `factory review`: shows rows and hands decisions to the desk, each before the next row is shown."""

    desk: ReviewSession
    keys: Iterator[Key]
    edit: Callable[[str], str | None] = edited
    ask: Callable[[str], str] = lambda question: str(click.prompt(question, default="", show_default=False))
    say: Callable[[str], None] = out.say
    queue: deque[ReviewItem] = field(default_factory=deque)

    def run(self) -> None:
        """Until no row waits, the reviewer quits, or the pipe ends."""
        self.queue.extend(self.desk.list_waiting_items())
        while self.queue:
            self._show(self.queue[0])
            if not self._act(self.queue[0]):
                return

    def _act(self, item: ReviewItem) -> bool:
        """Hear keys until one decides on this row; False to stop."""
        for key, rest in self.keys:
            if key == "q":
                return False
            if key not in KEYS:
                self.say(_help())
                continue
            try:
                if self._decided(item, key, rest):
                    return True
            except (InputError, click.ClickException) as error:
                self.say(clean(error.message if isinstance(error, click.ClickException) else error))
        return False

    def _decided(self, item: ReviewItem, key: str, rest: str) -> bool:
        """Whether the key led to another row."""
        if key == "b":
            return self._back()
        if key == "e":
            answer = self._answer(item, rest)
            if answer is None:
                self.say("nothing was changed; the row waits")
                return False
            self.desk.record_decision(item, EDIT, answer)
        elif key == "n":
            self.desk.record_decision(item, REJECT, note=rest or self.ask("why"))
        else:
            self.desk.record_decision(item, {"a": ACCEPT, "r": REJECT, "s": SKIP}[key])
        self.queue.popleft()
        return True

    def _back(self) -> bool:
        before = self.desk.undo()
        if before is None:
            self.say("there is nothing to take back")
            return False
        self.queue = deque([before, *(item for item in self.queue if item.key != before.key)])
        return True

    def _answer(self, item: ReviewItem, rest: str) -> Mapping[str, Any] | None:
        """The answer as edited: a lone text as it is, anything else as JSON. None when nothing was changed."""
        if len(item.answer) == 1:
            name, value = next(iter(item.answer.items()))
            written = rest or self.edit(format_editable_value(value))
            return None if written is None else {name: parse_edited_value(written, value)}
        whole = dict(item.answer)
        written = rest or self.edit(json.dumps(whole, ensure_ascii=False, indent=1))
        found = None if written is None else parse_edited_value(written, whole)
        if found is not None and not isinstance(found, dict):
            raise InputError(f"an object {{…}} with {', '.join(whole)} is wanted")
        return found

    def _show(self, item: ReviewItem) -> None:
        done = self.desk.measure_progress()
        told = ", ".join(f"{count} {name}" for name, count in done.counts.items() if count)
        self.say(out.dim(f"\nrow {min(done.decided + 1, done.total)} of {done.total}{f' · {told}' if told else ''}"))
        for line in self.desk.show(item).splitlines():
            self.say(_wrapped(line))
        self.say(out.dim(_help()))


def _wrapped(line: str) -> str:
    """A line of a row, its indent kept, without what could steer the terminal."""
    indent = " " * (len(line) - len(line.lstrip(" ")))
    width = min(WIDTH, shutil.get_terminal_size((WIDTH, 24)).columns)
    return textwrap.fill(clean(line), width, initial_indent=indent, subsequent_indent=indent + "  ") or ""


def _help() -> str:
    return " · ".join(f"{key} {what}" for key, what in KEYS.items())
