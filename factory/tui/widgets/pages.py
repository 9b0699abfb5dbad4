"""A panel of lines that scrolls: texts, logs, reasons."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from factory.tui.read_errors import READ_ERRORS, describe_read_error
from factory.tui.rich_text import Line, to_plain_text, wrap_text
from factory.tui.widgets.paint import get_brush, render_strip

Source = Callable[[int], Sequence[Line]]
"""Lines for a width."""


class Pages(ScrollView, can_focus=True):
    """Lines that were made for this width; made anew when the width, or what they tell, changes."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "scroll_up", "up", show=False),
        Binding("down,j", "scroll_down", "down", show=False),
        Binding("pageup", "page_up", "page up", show=False),
        Binding("pagedown", "page_down", "page down", show=False),
        Binding("home", "scroll_home", "top", show=False),
        Binding("end", "scroll_end", "bottom", show=False),
    ]

    def __init__(self, name: str, title: str, follow: bool = False) -> None:
        super().__init__(id=name, classes="panel")
        self.border_title = title
        self.source: Source = lambda room: ()
        self.lines: Sequence[Line] = ()
        self.follow = follow
        """Whether the end stays in sight while lines come."""
        self.word = ""
        self.made_for = -1

    def set_content(self, source: Source) -> None:
        """Show other lines."""
        before = self.useful
        self.source, self.made_for = source, -1
        self._rebuild()
        if self.useful != before and self.parent is not None:
            self.parent.refresh(layout=True)

    def on_resize(self) -> None:
        """Another width, other lines."""
        self._rebuild()

    @property
    def useful(self) -> int:
        """Rows that there is something to show in: the edge, the lines and a blank."""
        return max(4, len(self.lines) + 2)

    def _rebuild(self) -> None:
        room = self.scrollable_content_region.width
        if room <= 0 or room == self.made_for:
            return
        at_end = self.scroll_offset.y >= self.max_scroll_y - 1
        self.made_for = room
        try:
            self.lines = self.source(room)
        except READ_ERRORS as error:
            self.lines = wrap_text(describe_read_error(error), room, "warn")
        self.virtual_size = Size(room, len(self.lines))
        if self.follow and at_end:
            self.scroll_end(animate=False, immediate=True)
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """One line of what is to be seen."""
        styles, place = get_brush(self.app), self.scroll_offset.y + y
        one = self.lines[place] if place < len(self.lines) else ()
        return render_strip(one, self.size.width, styles, styles["ground"], self.word)

    def search(self, word: str) -> int:
        """Mark a word and go to where it is next; returns how many lines have it."""
        self.word = word
        hits = self.find_hits()
        if hits:
            self.go_to_hit(0)
        self.refresh()
        return len(hits)

    def find_hits(self) -> list[int]:
        """Lines that hold the word."""
        return [i for i, one in enumerate(self.lines) if self.word and self.word.lower() in to_plain_text(one).lower()]

    def go_to_hit(self, by: int) -> None:
        """Go to the hit after the first line in sight, or the one before; around the end."""
        hits, here = self.find_hits(), self.scroll_offset.y
        if not hits:
            return
        after = [h for h in hits if h > here] if by > 0 else [h for h in hits if h >= here]
        before = [h for h in hits if h < here]
        target = (before or hits)[-1] if by < 0 else (after or hits)[0]
        self.scroll_to(y=target, animate=False, immediate=True)

    def text(self) -> str:
        """All of it, as plain text."""
        return "\n".join(to_plain_text(one).rstrip() for one in self.lines)

    def action_scroll_up(self) -> None:
        """A line up, at once."""
        self.scroll_relative(y=-1, animate=False, immediate=True)

    def action_scroll_down(self) -> None:
        """A line down, at once."""
        self.scroll_relative(y=1, animate=False, immediate=True)

    def action_page_up(self) -> None:
        """A page up, at once."""
        self.scroll_relative(y=-max(1, self.size.height - 2), animate=False, immediate=True)

    def action_page_down(self) -> None:
        """A page down, at once."""
        self.scroll_relative(y=max(1, self.size.height - 2), animate=False, immediate=True)

    def action_scroll_home(self) -> None:
        """To the first line."""
        self.scroll_to(y=0, animate=False, immediate=True)

    def action_scroll_end(self) -> None:
        """To the last line."""
        self.scroll_end(animate=False, immediate=True)
