"""A table of any length that draws only the visible rows."""

from __future__ import annotations

from collections.abc import Collection
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from factory.tui import table as tables
from factory.tui.rich_text import make_line, wrap_text
from factory.tui.table import Table, TableLayout, TableRow
from factory.tui.widgets.paint import get_brush, render_strip

POINTER, MARK = "❯", "●"
EDGE = 2
"""Cells before a row: the pointer, and whether it is marked."""


class Listing(ScrollView, can_focus=True):
    """A table with a cursor, which stays on its record when rows are added, removed or sorted."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "up", show=False),
        Binding("down,j", "move(1)", "down", show=False),
        Binding("pageup", "leap(-1)", "page up", show=False),
        Binding("pagedown", "leap(1)", "page down", show=False),
        Binding("home", "to(0)", "first", show=False),
        Binding("end", "to(-1)", "last", show=False),
        Binding("enter", "choose", "open", show=False),
        Binding("s", "sort", "sort by the next column"),
        Binding("S", "reverse", "reverse the order", show=False),
    ]

    class Moved(Message):
        """The cursor is on another record."""

        def __init__(self, listing: Listing, record: TableRow | None, by_hand: bool) -> None:
            super().__init__()
            self.listing, self.record, self.by_hand = listing, record, by_hand

        @property
        def control(self) -> Listing:
            """The table, by whose id handlers are told apart."""
            return self.listing

    class Chosen(Message):
        """A record was opened, by Enter or by a second click."""

        def __init__(self, listing: Listing, record: TableRow) -> None:
            super().__init__()
            self.listing, self.record = listing, record

        @property
        def control(self) -> Listing:
            """The table, by whose id handlers are told apart."""
            return self.listing

    def __init__(self, name: str, title: str, stick_to_top: bool = False) -> None:
        super().__init__(id=name, classes="panel")
        self.border_title = title
        self.whole = Table(())
        self.grid = Table(())
        self.how = TableLayout()
        self.words = ""
        self.by, self.down = -1, False
        self.cursor = 0
        self.stick_to_top = stick_to_top
        """Whether a cursor on the first row stays there when new rows come above."""
        self.marked: Collection[str] = ()
        """Keys of the records that have a mark."""

    @property
    def current(self) -> TableRow | None:
        """The record under the cursor."""
        return self.grid.rows[self.cursor] if self.cursor < len(self.grid.rows) else None

    def set_content(self, whole: Table) -> None:
        """Show another grid."""
        here = self.current
        self.whole = whole
        before = self.useful
        self._rebuild(here)
        if self.useful != before and self.parent is not None:
            self.parent.refresh(layout=True)

    def narrow(self, words: str) -> None:
        """Show the records that hold these words alone."""
        here, self.words = self.current, words
        self._rebuild(here)

    def _rebuild(self, here: TableRow | None) -> None:
        found = self.whole.filter(self.words)
        self.grid = found.sort(self.by, self.down) if 0 <= self.by < len(found.columns) else found
        at_top = self.stick_to_top and self.cursor == 0 and self.by < 0
        keys = [r.key for r in self.grid.rows]
        place = 0 if at_top else keys.index(here.key) if here and here.key in keys else self.cursor
        self.cursor = max(0, min(place, len(keys) - 1))
        self._lay_out()
        now = self.current
        if (now and now.key) != (here and here.key):
            self.post_message(self.Moved(self, now, False))

    @property
    def useful(self) -> int:
        """Rows that there is something to show in: the edge, the heads, the records and a blank."""
        return max(4, len(self.grid.rows) + 3)

    def _lay_out(self) -> None:
        room = self.scrollable_content_region.width
        self.how = tables.fit_columns(self.grid, max(1, room - EDGE))
        self.virtual_size = Size(max(1, room), len(self.grid.rows) + 1)
        self._scroll_to_cursor()
        self.refresh()

    def on_resize(self) -> None:
        """Other columns may fit."""
        self._lay_out()

    def render_line(self, y: int) -> Strip:
        """The heads, or a record in sight."""
        styles, wide = get_brush(self.app), self.size.width
        place = self.scroll_offset.y + y - 1
        if not self.grid.rows:
            said = dict(enumerate(wrap_text(self.grid.empty_text, max(8, wide - EDGE), "dim")))
            return render_strip(make_line("  ", *said.get(y, ())), wide, styles, styles["ground"])
        if y == 0:
            return render_strip(
                make_line("  ", *tables.render_header(self.grid, self.how, self.by, self.down)),
                wide,
                styles,
                styles["ground"],
            )
        if place >= len(self.grid.rows):
            return render_strip((), wide, styles, styles["ground"])
        here = place == self.cursor
        body = tables.render_row(self.grid, self.how, self.grid.rows[place])
        pointer = (POINTER if here else " ", "accent" if self.has_focus else "dim")
        mark = (MARK if self.grid.rows[place].key in self.marked else " ", "accent")
        base = styles["cursor"] if here and self.has_focus else styles["ground"]
        return render_strip(make_line(pointer, mark, *body), wide, styles, base)

    def go(self, place: int, by_hand: bool = True) -> None:
        """Put the cursor on a record by its place."""
        before, self.cursor = self.cursor, max(0, min(place, len(self.grid.rows) - 1))
        self._scroll_to_cursor()
        for row in {before, self.cursor}:
            self.refresh_line(row + 1)
        if self.cursor != before:
            self.post_message(self.Moved(self, self.current, by_hand))

    def go_to(self, key: str) -> bool:
        """Put the cursor on a record by its key; whether it is there."""
        place = next((i for i, r in enumerate(self.grid.rows) if r.key == key), None)
        if place is not None:
            self.go(place, by_hand=False)
        return place is not None

    def _scroll_to_cursor(self) -> None:
        """Scroll until the cursor is in sight, below the heads."""
        tall, top = max(1, self.scrollable_content_region.height - 1), self.scroll_offset.y
        if self.cursor < top or self.cursor >= top + tall:
            target = self.cursor if self.cursor < top else self.cursor - tall + 1
            self.scroll_to(y=target, animate=False, force=True, immediate=True)

    def on_focus(self) -> None:
        """The pointer is coloured while keys come here."""
        self.refresh()

    def on_blur(self) -> None:
        """And faint when they do not."""
        self.refresh()

    def on_click(self, event: events.Click) -> None:
        """A head sorts, a row gets the cursor, the row under the cursor is opened."""
        at = event.get_content_offset(self)
        if at is None:
            return
        if at.y == 0:
            self._sort(tables.find_column_at(self.how, at.x - EDGE))
            return
        place = self.scroll_offset.y + at.y - 1
        if place < len(self.grid.rows):
            again = place == self.cursor and event.chain > 1
            self.go(place)
            if again:
                self.action_choose()

    def _sort(self, column: int) -> None:
        if column < 0:
            return
        self.down = not self.down if column == self.by else self.grid.columns[column].align_right
        self.by = column
        self._rebuild(self.current)

    def action_move(self, by: int) -> None:
        """Up or down."""
        self.go(self.cursor + by)

    def action_leap(self, by: int) -> None:
        """A page up or down."""
        self.go(self.cursor + by * max(1, self.size.height - 2))

    def action_to(self, place: int) -> None:
        """To the first or the last."""
        self.go(place if place >= 0 else len(self.grid.rows) - 1)

    def action_choose(self) -> None:
        """Open what is under the cursor."""
        if self.current is not None:
            self.post_message(self.Chosen(self, self.current))

    def action_sort(self) -> None:
        """By the next column that is shown; after the last, in the order of the list."""
        there = [place for place, _ in self.how.columns if self.grid.columns[place].name]
        later = [place for place in there if place > self.by]
        self.by = -1 if not later else later[0]
        self.down = self.by >= 0 and self.grid.columns[self.by].align_right
        self._rebuild(self.current)

    def action_reverse(self) -> None:
        """The other way round."""
        self.down = not self.down
        self._rebuild(self.current)
