"""What a page shows, before anything renders it: toned texts, intervals on a scale, tables of them, and curves.

The texts are raw. Each renderer (CLI, TUI, report) removes or escapes what its medium would interpret.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

BAR_BLOCKS = " ▏▎▍▌▋▊▉█"
"""Zero to eight eighths of a cell."""
BAR_WIDTH = 28
"""Cells of an interval's bar that stands in no narrower column."""


class Text(NamedTuple):
    """A text and its tone: `good`, `bad`, `warn`, `dim`, `strong`, `accent`, `code`, or empty for plain."""

    text: str
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean with its confidence interval, drawn on `scale` (lowest, highest); `marks` are zero, or a margin."""

    low: float
    mean: float
    high: float
    scale: tuple[float, float]
    marks: tuple[float, ...] = ()
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Curve:
    """Points (x, y) with finite values, the titles of both axes, and a sentence that says what the curve shows."""

    name: str
    """What tells it from the other curves of one plot, such as a run."""
    points: tuple[tuple[float, float], ...]
    x_title: str
    y_title: str
    summary: str
    diagonal: bool = False
    """Whether both axes run from 0 to 1 and the diagonal is drawn, as the ideal."""

    @property
    def title(self) -> str:
        """What is drawn: `training loss by step`."""
        return f"{self.y_title} by {self.x_title}"


@dataclass(frozen=True, slots=True)
class ShareBar:
    """A bar that is filled to `share`, from 0 to 1, with a label beside it."""

    share: float
    label: str = ""
    tone: str = ""


Cell = Text | Interval | ShareBar | str | tuple[Text, ...]
"""A cell of a table; the parts of a tuple are joined by blanks."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column. In narrow terminals those of the highest `drop_rank` are dropped first, those of rank 0 never.

    Intervals and bars are drawn `min_width` cells wide.
    """

    name: str
    align_right: bool = False
    drop_rank: int = 0
    max_width: int = 40
    min_width: int = 6
    key: str = ""
    """Its name in exports and in `Table.select`, where `name` is empty or depends on the run."""


@dataclass
class TableRow:
    """A row: its key, the values for sorting and export, and its cells, which are made on first display."""

    key: str
    values: tuple[Any, ...]
    make_cells: Callable[[], Sequence[Cell]]

    @cached_property
    def cells(self) -> tuple[Cell, ...]:
        """The cell of each column."""
        return tuple(self.make_cells())

    @cached_property
    def search_text(self) -> str:
        """All values in lower case, for the filter."""
        return " ".join(str(value) for value in self.values if value is not None).lower()


@dataclass(frozen=True, slots=True)
class Table:
    """A table, and the text shown when it has no rows."""

    columns: tuple[Column, ...]
    rows: tuple[TableRow, ...] = ()
    empty_text: str = "no rows"

    def select(self, keys: Sequence[str]) -> Table:
        """Return the table with the columns of these keys or names only, in this order. Raises KeyError."""
        index = {column.key or column.name: i for i, column in enumerate(self.columns)}
        chosen = [index[key] for key in keys]
        return replace(
            self, columns=tuple(self.columns[i] for i in chosen),
            rows=tuple(_select_cells(row, chosen) for row in self.rows),
        )

    def filter(self, text: str) -> Table:
        """Return the rows that contain every word of `text`."""
        words = text.lower().split()
        if not words:
            return self
        rows = tuple(row for row in self.rows if all(word in row.search_text for word in words))
        return replace(self, rows=rows, empty_text=f"no row matches {text!r}")

    def sort(self, column: int, descending: bool) -> Table:
        """Return the rows sorted by one column; rows without a value come last."""
        # Two lists, as `reverse` would otherwise put empty values first.
        filled = [row for row in self.rows if row.values[column] not in (None, "")]
        empty = [row for row in self.rows if row.values[column] in (None, "")]
        filled.sort(key=lambda row: _make_sort_key(row.values[column]), reverse=descending)
        return replace(self, rows=(*filled, *empty))

    def to_csv(self) -> str:
        """Return all rows with their unformatted values as CSV."""
        out = io.StringIO()
        writer = csv.writer(out)
        writer.writerow([column.key or column.name or "mark" for column in self.columns])
        writer.writerows([["" if value is None else value for value in row.values] for row in self.rows])
        return out.getvalue()

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return all rows with their unformatted values by column."""
        names = [column.key or column.name for column in self.columns]
        return [dict(zip(names, row.values, strict=True)) for row in self.rows]


def _select_cells(row: TableRow, chosen: Sequence[int]) -> TableRow:
    return TableRow(row.key, tuple(row.values[i] for i in chosen), lambda: [row.cells[i] for i in chosen])


def _make_sort_key(value: Any) -> tuple[int, Any]:
    return (0, value) if isinstance(value, int | float) else (1, str(value).lower())


def make_text_row(*cells: Cell | int) -> TableRow:
    """Return a row of texts and numbers as they are, and of cells; its key is the first."""
    made = [Text(str(cell)) if isinstance(cell, str | int) else cell for cell in cells]
    return make_row(extract_plain_text(made[0]), *made)


def make_row(key: str, *cells: Cell, values: Sequence[Any] = ()) -> TableRow:
    """Return a row of given cells; `values` defaults to their plain text."""
    return TableRow(key, tuple(values) or tuple(extract_plain_text(cell) for cell in cells), lambda: cells)


def extract_plain_text(cell: Cell) -> str:
    """Return the text of a cell without tones; what is drawn has none."""
    return " ".join(text for text, _ in split_cell(cell))


def split_cell(cell: Cell) -> tuple[Text, ...]:
    """Return the texts of a cell, without empty ones; what is drawn has none."""
    if isinstance(cell, Interval | ShareBar):
        return ()
    parts = (Text(cell),) if isinstance(cell, str) else (cell,) if isinstance(cell, Text) else cell
    return tuple(part for part in parts if part.text)


def draw_cell(cell: Cell, column: Column, clean: Callable[[str], str]) -> tuple[Text, ...]:
    """Return a cell as toned texts for a terminal, each made safe by `clean`; intervals and bars are drawn."""
    if isinstance(cell, Text):  # first, as nearly all are, and a long table has thousands
        return (Text(clean(cell.text), cell.tone),)
    if isinstance(cell, Interval):
        return (Text(draw_interval_bar(cell, column.min_width), cell.tone),)
    if isinstance(cell, ShareBar):
        label = f" {cell.label}" if cell.label else ""
        return Text(draw_share_bar(cell.share, column.min_width - len(label)), cell.tone or "dim"), Text(label)
    parts = split_cell(cell)
    return tuple(Text(f"{' ' if i else ''}{clean(text)}", tone) for i, (text, tone) in enumerate(parts))


def draw_interval_bar(interval: Interval, width: int) -> str:
    """Return `   ├──●──┤  ` on the interval's scale, `width` cells wide; `┊` marks the marks within the scale."""
    bottom, top = interval.scale
    step = (width - 1) / (top - bottom) if top > bottom else 0.0  # cells per unit
    cells = [" "] * width
    for mark in interval.marks:
        if bottom < mark < top:
            cells[round((mark - bottom) * step)] = "┊"
    # Values beyond the scale are drawn at its ends.
    ends = (interval.low, interval.mean, interval.high)
    left, middle, right = (min(width - 1, max(0, round((value - bottom) * step))) for value in ends)
    cells[left : right + 1] = "─" * (right - left + 1)
    cells[left], cells[right] = ("├", "┤") if right > left else ("│", "│")
    cells[middle] = "●"  # last, so that it stays visible on a narrow interval
    return "".join(cells)


def draw_share_bar(share: float, width: int) -> str:
    """Return a bar of `width` cells, filled in steps of an eighth of a cell."""
    # The rail of dots shows the length of the bar where colours are missing.
    return draw_blocks(share, width).ljust(width, "·")


def draw_blocks(share: float, width: int, *, always_visible: bool = False) -> str:
    """Return the filled part of a bar, to an eighth of a cell; `always_visible` draws any share above zero."""
    eighths = round(min(1.0, max(0.0, share)) * width * 8)
    full, rest = divmod(max(eighths, 1 if always_visible and share > 0 else 0), 8)
    return "█" * full + (BAR_BLOCKS[rest] if rest else "")
