"""Which columns of a table a terminal shows, and how wide: they are dropped by rank, then shrunk, until all fit."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.cells import cell_len

from factory.views.elements import Column, Table, TableRow, draw_cell

COLUMN_GAP, MIN_WIDTH = 2, 4
"""Blanks between columns, and the width below which no column is shrunk."""

ColumnLayout = tuple[tuple[int, int], ...]
"""The shown columns as (index, width)."""


def fit_columns(
    table: Table, width: int, clean: Callable[[str], str], *, arrow_width: int = 0, sample_size: int = 0
) -> ColumnLayout:
    """Choose the columns that fit into `width` cells: drop the highest ranks, then shrink what remains.

    Width 0 stands for any, with cells as wide as their texts. `clean` makes texts safe, heads have `arrow_width` cells
    more than their names, and `sample_size` (0: all) is how many rows, evenly spread, are measured.
    """
    sample = table.rows[:: max(1, len(table.rows) // sample_size) if sample_size else 1]
    natural = [_measure_column(sample, i, column, clean, arrow_width) for i, column in enumerate(table.columns)]
    # Columns that may be dropped are hidden while they are empty.
    shown = [index for index, column in enumerate(table.columns) if natural[index] or column.drop_rank == 0]
    if not width:
        return tuple((index, natural[index]) for index in shown)
    natural = [min(column.max_width, cells) for column, cells in zip(table.columns, natural, strict=True)]
    while True:
        gaps = COLUMN_GAP * max(0, len(shown) - 1)
        smallest = sum(min(natural[i], table.columns[i].min_width) for i in shown) + gaps
        rank = max((table.columns[i].drop_rank for i in shown), default=0)
        if smallest <= width or rank == 0:
            break
        shown.remove(next(i for i in reversed(shown) if table.columns[i].drop_rank == rank))
    return _shrink_columns(table, shown, natural, width)


def _measure_column(
    sample: Sequence[TableRow], index: int, column: Column, clean: Callable[[str], str], arrow_width: int
) -> int:
    """Return the natural width of a column; 0 when it may be dropped and all its cells are empty."""
    drawn = (draw_cell(row.cells[index], column, clean) for row in sample)
    cells = max((sum(cell_len(text) for text, _ in parts) for parts in drawn), default=0)
    if cells == 0 and sample and column.drop_rank:
        return 0
    return max(cells, cell_len(clean(column.name)) + (arrow_width if column.name else 0))


def _shrink_columns(table: Table, shown: Sequence[int], natural: Sequence[int], width: int) -> ColumnLayout:
    """Return the shown columns, after shrinking the widest until all fit."""
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
