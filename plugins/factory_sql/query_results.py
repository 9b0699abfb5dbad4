"""Whether two results are the same answer, and a result as a person reads it."""

from __future__ import annotations

from collections import Counter
from typing import Any

from factory_sql.database import QueryResult

SIGNIFICANT_DIGITS = 6
MAX_CELL_WIDTH = 28


def has_same_rows(gold: QueryResult, said: QueryResult, ordered: bool) -> bool:
    """Whether they hold the same rows as often; in the same order, when the question orders. Names do not count."""
    if gold.truncated != said.truncated or len(gold.rows) != len(said.rows):
        return False
    one, other = [_round_result_row(row) for row in gold.rows], [_round_result_row(row) for row in said.rows]
    return one == other if ordered else Counter(one) == Counter(other)


def _round_result_row(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """A row with its numbers rounded, so that 2, 2.0 and the last bits of a sum are one."""
    return tuple(float(f"{value:.{SIGNIFICANT_DIGITS}g}") if isinstance(value, float) else value for value in row)


def render_result_table(result: QueryResult, most: int) -> str:
    """The first rows under the names of the columns."""
    lines = [result.columns, *result.rows[:most]]
    cells = [[_render_result_cell(value) for value in line] for line in lines]
    widths = [max(len(line[place]) for line in cells) for place in range(len(result.columns))]
    text = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells]
    left = len(result.rows) - most
    more = [f"… and {left}{' or more' if result.truncated else ''} more rows"] if left > 0 else []
    return "\n".join([*text, *(more or ([] if result.rows else ["no rows"]))])


def _render_result_cell(value: Any) -> str:
    text = "" if value is None else f"{value:.{SIGNIFICANT_DIGITS}g}" if isinstance(value, float) else str(value)
    text = " ".join(text.split())
    return text if len(text) <= MAX_CELL_WIDTH else f"{text[: MAX_CELL_WIDTH - 1]}…"
