"""Tables as lines of a terminal: columns are dropped, then shrunk, until a table fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from factory.tui.rich_text import Line, make_line, measure_width, pad_line, sanitise, wrap_text
from factory.views.elements import Cell, Column, Table, TableRow, draw_cell

COLUMN_GAP, MIN_WIDTH = 2, 4
"""Blanks between columns, and the width below which no column is shrunk."""
ARROW_WIDTH = 2
"""Cells beside a column's name for the arrow of the sorted column."""
SAMPLE_SIZE = 120
"""Rows, evenly spread, that are measured for column widths: measuring all would slow down every key press."""


@dataclass(frozen=True, slots=True)
class TableLayout:
    """The columns that are shown, as (index, width)."""

    columns: tuple[tuple[int, int], ...] = ()


def fit_columns(table: Table, width: int, arrow_width: int = ARROW_WIDTH) -> TableLayout:
    """Choose the columns that fit into `width` cells: drop the highest ranks, then shrink what remains."""
    sample = table.rows[:: max(1, len(table.rows) // SAMPLE_SIZE)]
    natural = [_measure_column(sample, index, column, arrow_width) for index, column in enumerate(table.columns)]
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


def render_cell(cell: Cell, column: Column) -> Line:
    """Return a cell as toned spans; intervals and bars are drawn."""
    return make_line(*draw_cell(cell, column, sanitise))


def _measure_column(sample: Sequence[TableRow], index: int, column: Column, arrow_width: int) -> int:
    """Return the natural width of a column; 0 when it may be dropped and all its cells are empty."""
    cells = max((measure_width(render_cell(row.cells[index], column)) for row in sample), default=0)
    if cells == 0 and sample and column.drop_rank:
        return 0
    head = measure_width(make_line(column.name)) + (arrow_width if column.name else 0)
    return min(column.max_width, max(cells, head))


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
        column = table.columns[index]
        spans += pad_line(render_cell(row.cells[index], column), width, column.align_right)
    return make_line(*spans)


def render_table(table: Table, width: int, max_rows: int = 0, arrow_width: int = ARROW_WIDTH) -> list[Line]:
    """Return the header and the rows as lines; with `max_rows`, the first ones and how many more there are."""
    if not table.rows:
        return wrap_text(table.empty_text, width, "dim")
    layout = fit_columns(table, width, arrow_width)
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
