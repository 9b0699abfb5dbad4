"""A panel with a table of any length; only the visible rows are rendered."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from factory.tui.rich_text import make_line, wrap_text
from factory.tui.table import find_column_at, lay_out_table, render_header, render_row
from factory.tui.widgets.paint import get_brush, render_strip
from factory.views.column_layout import ColumnLayout
from factory.views.elements import Table, TableRow

POINTER, MARK = "❯", "●"
MARGIN = 2
"""Cells before a row, for the pointer and the mark."""


class Listing(ScrollView, can_focus=True):
    """A table with a cursor, which stays on its row when rows are added, removed or sorted."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "up", show=False),
        Binding("down,j", "move(1)", "down", show=False),
        Binding("pageup", "move_page(-1)", "page up", show=False),
        Binding("pagedown", "move_page(1)", "page down", show=False),
        Binding("home", "move_to(0)", "first", show=False),
        Binding("end", "move_to(-1)", "last", show=False),
        Binding("enter", "choose", "open", show=False),
        Binding("s", "sort", "sort by the next column"),
        Binding("S", "reverse", "reverse the order", show=False),
    ]

    @dataclass
    class ListingMessage(Message):
        """Base of the messages that a listing posts."""

        listing: Listing

        @property
        def control(self) -> Listing:
            """The listing, by whose id `@on` selects handlers."""
            return self.listing

    @dataclass
    class Moved(ListingMessage):
        """Posted when the cursor is on another row; `by_hand` if a key or a click moved it."""

        by_hand: bool

    @dataclass
    class Chosen(ListingMessage):
        """Posted when a row is opened, by Enter or by a second click."""

        row: TableRow

    def __init__(self, name: str, title: str, stick_to_top: bool = False) -> None:
        super().__init__(id=name, classes="panel")
        self.border_title = title
        self.full_table = Table(())
        self.table = Table(())
        """The rows of `full_table` that match the filter, as sorted."""
        self.column_layout: ColumnLayout = ()
        self.filter_text = ""
        self.sort_column, self.descending = -1, False
        self.cursor = 0
        self.stick_to_top = stick_to_top
        """Whether a cursor on the first row stays there when rows are added above."""
        self.marked: Collection[str] = ()
        """Keys of the rows that have a mark."""

    @property
    def current(self) -> TableRow | None:
        """The row under the cursor."""
        return self.table.rows[self.cursor] if self.cursor < len(self.table.rows) else None

    def set_content(self, table: Table) -> None:
        """Show another table."""
        row, height = self.current, self.useful_height
        self.full_table = table
        self._rebuild(row)
        if self.useful_height != height and self.parent is not None:
            self.parent.refresh(layout=True)

    def filter_rows(self, text: str) -> None:
        """Show only the rows that contain every word of a text."""
        self.filter_text = text
        self._rebuild(self.current)

    def _rebuild(self, previous: TableRow | None) -> None:
        """Filter and sort the rows again, with the cursor on the previous row if it is still there."""
        table = self.full_table.filter(self.filter_text)
        is_sorted = 0 <= self.sort_column < len(table.columns)
        self.table = table.sort(self.sort_column, self.descending) if is_sorted else table
        at_top = self.stick_to_top and self.cursor == 0 and self.sort_column < 0
        keys = [row.key for row in self.table.rows]
        index = 0 if at_top else keys.index(previous.key) if previous and previous.key in keys else self.cursor
        self.cursor = max(0, min(index, len(keys) - 1))
        self._lay_out()
        current = self.current
        if (current and current.key) != (previous and previous.key):
            self.post_message(self.Moved(self, by_hand=False))

    @property
    def useful_height(self) -> int:
        """Rows that the panel can use: its border, the header, the rows and a blank."""
        return max(4, len(self.table.rows) + 3)

    def _lay_out(self) -> None:
        width = self.scrollable_content_region.width
        self.column_layout = lay_out_table(self.table, width - MARGIN)
        self.virtual_size = Size(max(1, width), len(self.table.rows) + 1)
        self._scroll_to_cursor()
        self.refresh()

    def on_resize(self) -> None:
        """Fit the columns to the new width."""
        self._lay_out()

    def render_line(self, y: int) -> Strip:
        """Render the header, a visible row, or the note that there are no rows."""
        styles, width, rows = get_brush(self.app), self.size.width, self.table.rows
        # The header stays in the first line, whatever is scrolled.
        index = self.scroll_offset.y + y - 1
        line, base = make_line(), styles["ground"]
        if not rows:
            note = wrap_text(self.table.empty_text, max(8, width - MARGIN), "dim")
            line = make_line("  ", *note[y]) if y < len(note) else line
        elif y == 0:
            line = make_line("  ", *render_header(self.table, self.column_layout, self.sort_column, self.descending))
        elif index < len(rows):
            at_cursor = index == self.cursor
            pointer = (POINTER if at_cursor else " ", "accent" if self.has_focus else "dim")
            mark = (MARK if rows[index].key in self.marked else " ", "accent")
            line = make_line(pointer, mark, *render_row(self.table, self.column_layout, rows[index]))
            base = styles["cursor"] if at_cursor and self.has_focus else base
        return render_strip(line, width, styles, base)

    def move_to(self, index: int, by_hand: bool = True) -> None:
        """Put the cursor on the row at an index."""
        before, self.cursor = self.cursor, max(0, min(index, len(self.table.rows) - 1))
        self._scroll_to_cursor()
        for row in {before, self.cursor}:
            self.refresh_line(row + 1)
        if self.cursor != before:
            self.post_message(self.Moved(self, by_hand))

    def move_to_key(self, key: str) -> bool:
        """Put the cursor on the row with a key. Returns whether there is one."""
        index = next((i for i, row in enumerate(self.table.rows) if row.key == key), None)
        if index is not None:
            self.move_to(index, by_hand=False)
        return index is not None

    def _scroll_to_cursor(self) -> None:
        """Scroll until the cursor is visible below the header."""
        height, top = max(1, self.scrollable_content_region.height - 1), self.scroll_offset.y
        if self.cursor < top or self.cursor >= top + height:
            target = self.cursor if self.cursor < top else self.cursor - height + 1
            self.scroll_to(y=target, animate=False, force=True, immediate=True)

    def on_focus(self) -> None:
        """Draw the cursor as active."""
        self.refresh()

    def on_blur(self) -> None:
        """Draw the cursor as inactive."""
        self.refresh()

    def on_click(self, event: events.Click) -> None:
        """Sort by the clicked column, or move to the clicked row; a second click opens it."""
        offset = event.get_content_offset(self)
        if offset is None:
            return
        index = self.scroll_offset.y + offset.y - 1
        if offset.y == 0:
            self._sort(find_column_at(self.column_layout, offset.x - MARGIN))
        elif index < len(self.table.rows):
            is_second = index == self.cursor and event.chain > 1
            self.move_to(index)
            if is_second:
                self.action_choose()

    def _sort(self, column: int) -> None:
        """Sort by a column, numbers in descending order first; by the same column again, in the other order."""
        if column >= 0:
            is_same = column == self.sort_column
            self.descending = not self.descending if is_same else self.table.columns[column].align_right
            self.sort_column = column
            self._rebuild(self.current)

    def action_move(self, by: int) -> None:
        """Move the cursor by rows."""
        self.move_to(self.cursor + by)

    def action_move_page(self, by: int) -> None:
        """Move the cursor by pages."""
        self.move_to(self.cursor + by * max(1, self.size.height - 2))

    def action_move_to(self, index: int) -> None:
        """Move the cursor to a row; -1 is the last one."""
        self.move_to(index if index >= 0 else len(self.table.rows) - 1)

    def action_choose(self) -> None:
        """Open the row under the cursor."""
        if self.current is not None:
            self.post_message(self.Chosen(self, self.current))

    def action_sort(self) -> None:
        """Sort by the next visible column; after the last one, return to the original order."""
        named = [index for index, _ in self.column_layout if self.table.columns[index].name]
        self.sort_column = next((index for index in named if index > self.sort_column), -1)
        self.descending = self.sort_column >= 0 and self.table.columns[self.sort_column].align_right
        self._rebuild(self.current)

    def action_reverse(self) -> None:
        """Reverse the order."""
        self.descending = not self.descending
        self._rebuild(self.current)
