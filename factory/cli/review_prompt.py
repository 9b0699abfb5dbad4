"""Interactive review at a plain terminal, one key per row. From a pipe, a line is a key and its argument."""

from __future__ import annotations

import json
import os
import sys
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
KEY_HELP = " · ".join(f"{key} {action}" for key, action in KEY_ACTIONS.items())
KeyPress = tuple[str, str]
"""A key and its argument, the rest of the line: the edited answer, or the note."""


def read_key_presses() -> Iterator[KeyPress]:
    """Yield single keys from a terminal until Ctrl-D. Keys typed while a decision is saved are not lost."""
    import select
    import termios
    import tty

    handle = sys.stdin.fileno()
    while True:
        before = termios.tcgetattr(handle)
        try:
            # TCSADRAIN, not the default TCSAFLUSH: that would discard keys typed ahead.
            tty.setcbreak(handle, termios.TCSADRAIN)
            key = os.read(handle, 1)
            while key == b"\x1b" and select.select([handle], [], [], 0)[0]:
                os.read(handle, 1)  # skip the rest of an escape sequence, such as an arrow key
        finally:
            termios.tcsetattr(handle, termios.TCSADRAIN, before)
        if key in (b"", b"\x04"):
            return
        yield key.decode("utf-8", "replace").lower(), ""


def read_piped_keys() -> Iterator[KeyPress]:
    """Yield the lines of a pipe as keys, such as `a`, or `e A better answer`."""
    for line in sys.stdin:
        if line.strip():
            key, _, rest = line.rstrip("\n").partition(" ")
            yield key.lower()[:1], rest


def edit_in_editor(before: str) -> str | None:
    """Open a text in $EDITOR and return the edited text; None if it was not saved."""
    after = click.edit(before, extension=".txt")
    return after if after is None or before.endswith("\n") else after.rstrip("\n")


@dataclass
class ReviewPrompt:
    """The prompt of `factory review`. Each decision is recorded in the session before the next row is shown."""

    session: ReviewSession
    key_presses: Iterator[KeyPress]
    open_editor: Callable[[str], str | None] = edit_in_editor
    prompt_text: Callable[[str], str] = lambda question: str(click.prompt(question, default="", show_default=False))
    write_line: Callable[[str], None] = output.print_line
    queue: deque[ReviewItem] = field(default_factory=deque)

    def run(self) -> None:
        """Show rows until none is left, the reviewer quits, or the input ends."""
        self.queue.extend(self.session.list_waiting_items())
        while self.queue:
            self._print_item(self.queue[0])
            if not self._handle_keys(self.queue[0]):
                return

    def _handle_keys(self, item: ReviewItem) -> bool:
        """Process keys until one moves to another row; returns False to stop."""
        for key, rest in self.key_presses:
            if key == "q":
                return False
            if key not in KEY_ACTIONS:
                self.write_line(KEY_HELP)
                continue
            try:
                if self._apply_key(item, key, rest):
                    return True
            except (InputError, click.ClickException) as error:
                self.write_line(clean_line(error.message if isinstance(error, click.ClickException) else error))
        return False

    def _apply_key(self, item: ReviewItem, key: str, rest: str) -> bool:
        """Apply a key to the row; returns whether to move to another row."""
        if key == "b":
            return self._undo_last_decision()
        if key == "e":
            answer = self._edit_answer(item, rest)
            if answer is None:
                self.write_line("no change; the row is still undecided")
                return False
            self.session.record_decision(item, EDIT, answer)
        elif key == "n":
            self.session.record_decision(item, REJECT, note=rest or self.prompt_text("reason"))
        else:
            self.session.record_decision(item, {"a": ACCEPT, "r": REJECT, "s": SKIP}[key])
        self.queue.popleft()
        return True

    def _undo_last_decision(self) -> bool:
        previous = self.session.undo()
        if previous is None:
            self.write_line("nothing to undo")
            return False
        # The undone row comes first again; a skipped row may still be in the queue.
        self.queue = deque([previous, *(item for item in self.queue if item.key != previous.key)])
        return True

    def _edit_answer(self, item: ReviewItem, rest: str) -> Mapping[str, Any] | None:
        """Return the edited answer; None if unchanged. One column is edited as text, several as a JSON object."""
        if len(item.answer) == 1:
            name, value = next(iter(item.answer.items()))
            edited = rest or self.open_editor(format_editable_value(value))
            return None if edited is None else {name: parse_edited_value(edited, value)}
        before = dict(item.answer)
        edited = rest or self.open_editor(json.dumps(before, ensure_ascii=False, indent=1))
        answer = None if edited is None else parse_edited_value(edited, before)
        if answer is not None and not isinstance(answer, dict):
            raise InputError(f"expected a JSON object with the fields {', '.join(before)}")
        return answer

    def _print_item(self, item: ReviewItem) -> None:
        progress = self.session.measure_progress()
        counts = ", ".join(f"{count} {name}" for name, count in progress.counts.items() if count)
        position = f"\nrow {min(progress.decided + 1, progress.total)} of {progress.total}"
        self.write_line(output.style_dim(f"{position}{f' · {counts}' if counts else ''}"))
        for line in self.session.show(item).splitlines():
            indent = " " * (len(line) - len(line.lstrip(" ")))
            self.write_line(output.fill_line(line, indent, f"{indent}  "))
        self.write_line(output.style_dim(KEY_HELP))
