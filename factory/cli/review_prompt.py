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

from factory.cli import output
from factory.errors import InputError
from factory.review import ACCEPT, EDIT, REJECT, SKIP, ReviewItem, ReviewSession
from factory.review.session import format_editable_value, parse_edited_value
from factory.views.formatting import clean_line

KEY_ACTIONS = {
    "a": "accept", "r": "reject", "n": "reject with a note", "e": "edit", "s": "skip", "b": "back", "q": "quit",
}
WIDTH = 100
KeyPress = tuple[str, str]
"""A key, and what followed it on its line: the edited answer, or the note."""


def read_key_presses() -> Iterator[KeyPress]:
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


def read_piped_keys() -> Iterator[KeyPress]:
    """The lines of a pipe, such as `a`, or `e A better answer`."""
    for line in sys.stdin:
        if line.strip():
            key, _, rest = line.rstrip("\n").partition(" ")
            yield key.lower()[:1], rest


def edit_in_editor(before: str) -> str | None:
    """What a person made of a text in their $EDITOR; None when they left it as it was."""
    after = click.edit(before, extension=".txt")
    return None if after is None else after.rstrip("\n") if not before.endswith("\n") else after


@dataclass
class ReviewPrompt:
    """One run of `factory review`: shows rows and hands decisions to the desk, each before the next row is shown."""

    session: ReviewSession
    key_presses: Iterator[KeyPress]
    open_editor: Callable[[str], str | None] = edit_in_editor
    prompt_text: Callable[[str], str] = lambda question: str(click.prompt(question, default="", show_default=False))
    write_line: Callable[[str], None] = output.print_line
    queue: deque[ReviewItem] = field(default_factory=deque)

    def run(self) -> None:
        """Until no row waits, the reviewer quits, or the pipe ends."""
        self.queue.extend(self.session.list_waiting_items())
        while self.queue:
            self._print_item(self.queue[0])
            if not self._handle_keys(self.queue[0]):
                return

    def _handle_keys(self, item: ReviewItem) -> bool:
        """Hear keys until one decides on this row; False to stop."""
        for key, rest in self.key_presses:
            if key == "q":
                return False
            if key not in KEY_ACTIONS:
                self.write_line(_format_key_help())
                continue
            try:
                if self._apply_key(item, key, rest):
                    return True
            except (InputError, click.ClickException) as error:
                self.write_line(clean_line(error.message if isinstance(error, click.ClickException) else error))
        return False

    def _apply_key(self, item: ReviewItem, key: str, rest: str) -> bool:
        """Whether the key led to another row."""
        if key == "b":
            return self._undo_last_decision()
        if key == "e":
            answer = self._edit_answer(item, rest)
            if answer is None:
                self.write_line("nothing was changed; the row waits")
                return False
            self.session.record_decision(item, EDIT, answer)
        elif key == "n":
            self.session.record_decision(item, REJECT, note=rest or self.prompt_text("why"))
        else:
            self.session.record_decision(item, {"a": ACCEPT, "r": REJECT, "s": SKIP}[key])
        self.queue.popleft()
        return True

    def _undo_last_decision(self) -> bool:
        before = self.session.undo()
        if before is None:
            self.write_line("there is nothing to take back")
            return False
        self.queue = deque([before, *(item for item in self.queue if item.key != before.key)])
        return True

    def _edit_answer(self, item: ReviewItem, rest: str) -> Mapping[str, Any] | None:
        """The answer as edited: a lone text as it is, anything else as JSON. None when nothing was changed."""
        if len(item.answer) == 1:
            name, value = next(iter(item.answer.items()))
            written = rest or self.open_editor(format_editable_value(value))
            return None if written is None else {name: parse_edited_value(written, value)}
        whole = dict(item.answer)
        written = rest or self.open_editor(json.dumps(whole, ensure_ascii=False, indent=1))
        found = None if written is None else parse_edited_value(written, whole)
        if found is not None and not isinstance(found, dict):
            raise InputError(f"an object {{…}} with {', '.join(whole)} is wanted")
        return found

    def _print_item(self, item: ReviewItem) -> None:
        done = self.session.measure_progress()
        told = ", ".join(f"{count} {name}" for name, count in done.counts.items() if count)
        self.write_line(output.style_dim(f"\nrow {min(done.decided + 1, done.total)} of {done.total}{f' · {told}' if told else ''}"))
        for line in self.session.show(item).splitlines():
            self.write_line(_wrap_indented_line(line))
        self.write_line(output.style_dim(_format_key_help()))


def _wrap_indented_line(line: str) -> str:
    """A line of a row, its indent kept, without what could steer the terminal."""
    indent = " " * (len(line) - len(line.lstrip(" ")))
    width = min(WIDTH, shutil.get_terminal_size((WIDTH, 24)).columns)
    return textwrap.fill(clean_line(line), width, initial_indent=indent, subsequent_indent=indent + "  ") or ""


def _format_key_help() -> str:
    return " · ".join(f"{key} {what}" for key, what in KEY_ACTIONS.items())
