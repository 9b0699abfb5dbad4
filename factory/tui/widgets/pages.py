"""A panel of text that scrolls and can be searched."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from factory.errors import READ_ERRORS
from factory.tui.rich_text import Line, describe_read_error, render_plain_text, to_plain_text, wrap_text
from factory.tui.widgets.paint import get_brush, render_strip

Source = Callable[[int], Sequence[Line]]
"""Function that returns the lines for a width."""


class Pages(ScrollView, can_focus=True):
    """Lines from a source, which is called again when the width or the content changes."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "scroll_lines(-1)", "up", show=False),
        Binding("down,j", "scroll_lines(1)", "down", show=False),
        Binding("pageup", "scroll_pages(-1)", "page up", show=False),
        Binding("pagedown", "scroll_pages(1)", "page down", show=False),
        Binding("home", "scroll_home", "top", show=False),
        Binding("end", "scroll_end", "bottom", show=False),
    ]

    def __init__(self, name: str, title: str, follow: bool = False) -> None:
        super().__init__(id=name, classes="panel")
        self.border_title = title
        self.source: Source = lambda width: ()
        self.lines: Sequence[Line] = ()
        self.follow = follow
        """Whether the view stays at the end while lines are added."""
        self.search_text = ""
        self.rendered_width = -1

    def set_content(self, source: Source) -> None:
        """Show the lines of another source."""
        before = self.useful_height
        self.source, self.rendered_width = source, -1
        self._rebuild()
        if self.useful_height != before and self.parent is not None:
            self.parent.refresh(layout=True)

    def on_resize(self) -> None:
        """Rewrap the lines."""
        self._rebuild()

    @property
    def useful_height(self) -> int:
        """Rows that the panel can use: its border, the lines and a blank."""
        return max(4, len(self.lines) + 2)

    def _rebuild(self) -> None:
        width = self.scrollable_content_region.width
        if width <= 0 or width == self.rendered_width:
            return
        at_end = self.scroll_offset.y >= self.max_scroll_y - 1
        self.rendered_width = width
        try:
            self.lines = self.source(width)
        except READ_ERRORS as error:
            self.lines = wrap_text(describe_read_error(error), width, "warn")
        self.virtual_size = Size(width, len(self.lines))
        if self.follow and at_end:
            self.scroll_end(animate=False, immediate=True)
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Render one visible line."""
        styles, index = get_brush(self.app), self.scroll_offset.y + y
        line = self.lines[index] if index < len(self.lines) else ()
        return render_strip(line, self.size.width, styles, styles["ground"], self.search_text)

    def search(self, text: str) -> None:
        """Highlight a text and scroll to the next line that contains it, or to the first one."""
        self.search_text = text
        hits = [i for i, line in enumerate(self.lines) if text and text.lower() in to_plain_text(line).lower()]
        if hits:
            here = self.scroll_offset.y
            self._scroll_to_line(next((hit for hit in hits if hit >= here), hits[0]))
        self.refresh()

    def text(self) -> str:
        """Return all lines as plain text."""
        return render_plain_text(self.lines)

    def _scroll_to_line(self, index: int) -> None:
        # Without animation, which would lag behind held keys.
        self.scroll_to(y=index, animate=False, immediate=True)

    def action_scroll_lines(self, count: int) -> None:
        """Scroll by lines, upwards if negative."""
        self.scroll_relative(y=count, animate=False, immediate=True)

    def action_scroll_pages(self, count: int) -> None:
        """Scroll by pages, upwards if negative."""
        self.action_scroll_lines(count * max(1, self.size.height - 2))

    def action_scroll_home(self) -> None:
        """Scroll to the first line."""
        self._scroll_to_line(0)

    def action_scroll_end(self) -> None:
        """Scroll to the last line."""
        self.scroll_end(animate=False, immediate=True)
