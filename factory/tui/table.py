"""Tables as lines of the terminal interface."""

from __future__ import annotations

from factory.tui.rich_text import Line, make_line, pad_line, sanitise, wrap_text
from factory.views.column_layout import COLUMN_GAP, ColumnLayout, fit_columns
from factory.views.elements import Cell, Column, Table, TableRow, draw_cell

ARROW_WIDTH = 2
"""Cells beside a column's name for the arrow of the sorted column."""
NO_COLUMN = Column("")
SAMPLE_SIZE = 120
"""Rows that are measured for column widths: measuring all would slow down every key press."""


def lay_out_table(table: Table, width: int) -> ColumnLayout:
    """Choose the columns that fit into `width` cells."""
    return fit_columns(table, max(1, width), sanitise, arrow_width=ARROW_WIDTH, sample_size=SAMPLE_SIZE)


def render_cell(cell: Cell, column: Column = NO_COLUMN) -> Line:
    """Return a cell as toned spans; intervals and bars are drawn."""
    return make_line(*draw_cell(cell, column, sanitise))


def render_header(table: Table, layout: ColumnLayout, sort_column: int = -1, descending: bool = False) -> Line:
    """Return the line of column names, with an arrow at the sorted one."""
    spans: list[tuple[str, str]] = []
    for number, (index, width) in enumerate(layout):
        column = table.columns[index]
        arrow = ("▾" if descending else "▴") if index == sort_column else ""
        name = f"{arrow}{column.name}" if column.align_right else f"{column.name}{arrow}"
        spans += [(" " * COLUMN_GAP, "")] if number else []
        spans += [(text, "head") for text, _ in pad_line(make_line(name), width, column.align_right)]
    return make_line(*spans)


def render_row(table: Table, layout: ColumnLayout, row: TableRow) -> Line:
    """Return the line of one row."""
    spans: list[tuple[str, str]] = []
    for number, (index, width) in enumerate(layout):
        spans += [(" " * COLUMN_GAP, "")] if number else []
        column = table.columns[index]
        spans += pad_line(render_cell(row.cells[index], column), width, column.align_right)
    return make_line(*spans)


def render_table(table: Table, width: int, max_rows: int = 0) -> list[Line]:
    """Return the header and the rows as lines; with `max_rows`, the first ones and how many more there are."""
    if not table.rows:
        return wrap_text(table.empty_text, width, "dim")
    layout = lay_out_table(table, width)
    shown = table.rows[:max_rows] if max_rows else table.rows
    more = len(table.rows) - len(shown)
    footer = [make_line((f"and {more} more", "dim"))] if more else []
    return [render_header(table, layout), *(render_row(table, layout, row) for row in shown), *footer]


def find_column_at(layout: ColumnLayout, x: int) -> int:
    """Return the index of the column at a horizontal position, -1 for none."""
    start = 0
    for index, width in layout:
        if start <= x < start + width + COLUMN_GAP:
            return index
        start += width + COLUMN_GAP
    return -1
