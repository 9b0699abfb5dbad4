"""Tables as data: columns that can be dropped in narrow terminals, rows that can be sorted, filtered and exported."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from factory.tui.rich_text import Line, make_line, measure_width, pad_line, to_plain_text, wrap_text

COLUMN_GAP, MIN_WIDTH = 2, 4
"""Blanks between columns, and the width below which no column is shrunk."""
SAMPLE_SIZE = 120
"""Rows, evenly spread, that are measured for column widths: measuring all would slow down every key press."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column. In narrow terminals those of the highest `drop_rank` are dropped first, those of rank 0 never."""

    name: str
    align_right: bool = False
    drop_rank: int = 0
    max_width: int = 40
    min_width: int = 6


Cell = Line | str


@dataclass
class TableRow:
    """A row: its key, the values for sorting and export, and its cells, which are made on first display."""

    key: str
    values: tuple[Any, ...]
    make_cells: Callable[[], Sequence[Cell]]

    @cached_property
    def cells(self) -> tuple[Line, ...]:
        """The formatted cell of each column."""
        return tuple(make_line(cell) if isinstance(cell, str) else cell for cell in self.make_cells())

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
        writer.writerow([column.name or "mark" for column in self.columns])
        writer.writerows([["" if value is None else value for value in row.values] for row in self.rows])
        return out.getvalue()

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return all rows with their unformatted values by column name."""
        names = [column.name for column in self.columns]
        return [dict(zip(names, row.values, strict=True)) for row in self.rows]


def _make_sort_key(value: Any) -> tuple[int, Any]:
    return (0, value) if isinstance(value, int | float) else (1, str(value).lower())


def make_row(key: str, *cells: Cell, values: Sequence[Any] = ()) -> TableRow:
    """Return a row of given cells; `values` defaults to their plain text."""
    texts = tuple(values) or tuple(cell if isinstance(cell, str) else to_plain_text(cell) for cell in cells)
    return TableRow(key, texts, lambda: cells)


@dataclass(frozen=True, slots=True)
class TableLayout:
    """The columns that are shown, as (index, width)."""

    columns: tuple[tuple[int, int], ...] = ()


def fit_columns(table: Table, width: int) -> TableLayout:
    """Choose the columns that fit into `width` cells: drop the highest ranks, then shrink what remains."""
    sample = table.rows[:: max(1, len(table.rows) // SAMPLE_SIZE)]
    natural = [_measure_column(sample, index, column) for index, column in enumerate(table.columns)]
    # Columns that may be dropped are hidden while they are empty.
    shown = [index for index, column in enumerate(table.columns) if natural[index] or column.drop_rank == 0]
    while True:
        gaps = COLUMN_GAP * max(0, len(shown) - 1)
        smallest = sum(min(natural[i], table.columns[i].min_width) for i in shown) + gaps
        rank = max((table.columns[i].drop_rank for i in shown), default=0)
        if smallest <= width or rank == 0:
            break
        shown.remove(next(i for i in reversed(shown) if table.columns[i].drop_rank == rank))
    return TableLayout(_shrink_columns(table, shown, natural, width))


def _measure_column(sample: Sequence[TableRow], index: int, column: Column) -> int:
    """Return the natural width of a column; 0 when it may be dropped and all its cells are empty."""
    cells = max((measure_width(row.cells[index]) for row in sample), default=0)
    if cells == 0 and sample and column.drop_rank:
        return 0
    # Two cells beside the name are for the sort arrow.
    return min(column.max_width, max(cells, measure_width(make_line(column.name)) + 2 * bool(column.name)))


def _shrink_columns(table: Table, shown: list[int], natural: list[int], width: int) -> tuple[tuple[int, int], ...]:
    """Return (index, width) of the shown columns, after shrinking the widest until all fit."""
    widths = {index: natural[index] for index in shown}
    excess = sum(widths.values()) + COLUMN_GAP * max(0, len(shown) - 1) - width
    while excess > 0:
        # First down to each column's own minimum, then, if that is not enough, to the common one.
        loose = [i for i in shown if widths[i] > min(table.columns[i].min_width, natural[i])]
        loose = loose or [i for i in shown if widths[i] > MIN_WIDTH]
        if not loose:
            break
        widths[max(loose, key=lambda i: widths[i])] -= 1
        excess -= 1
    return tuple((index, widths[index]) for index in shown)


def render_header(table: Table, layout: TableLayout, sort_column: int = -1, descending: bool = False) -> Line:
    """Return the line of column names, with an arrow at the sorted one."""
    spans: list[tuple[str, str]] = []
    for number, (index, width) in enumerate(layout.columns):
        column = table.columns[index]
        arrow = ("▾" if descending else "▴") if index == sort_column else ""
        name = f"{arrow}{column.name}" if column.align_right else f"{column.name}{arrow}"
        spans += [(" " * COLUMN_GAP, "")] if number else []
        spans += [(text, "head") for text, _ in pad_line(make_line(name), width, column.align_right)]
    return make_line(*spans)


def render_row(table: Table, layout: TableLayout, row: TableRow) -> Line:
    """Return the line of one row."""
    spans: list[tuple[str, str]] = []
    for number, (index, width) in enumerate(layout.columns):
        spans += [(" " * COLUMN_GAP, "")] if number else []
        spans += pad_line(row.cells[index], width, table.columns[index].align_right)
    return make_line(*spans)


def render_table(table: Table, width: int, max_rows: int = 0) -> list[Line]:
    """Return the header and the rows as lines; with `max_rows`, the first ones and how many more there are."""
    if not table.rows:
        return wrap_text(table.empty_text, width, "dim")
    layout = fit_columns(table, width)
    shown = table.rows[:max_rows] if max_rows else table.rows
    more = len(table.rows) - len(shown)
    footer = [make_line((f"and {more} more", "dim"))] if more else []
    return [render_header(table, layout), *(render_row(table, layout, row) for row in shown), *footer]


def find_column_at(layout: TableLayout, x: int) -> int:
    """Return the index of the column at a horizontal position, -1 for none."""
    start = 0
    for index, width in layout.columns:
        if start <= x < start + width + COLUMN_GAP:
            return index
        start += width + COLUMN_GAP
    return -1
