"""Comparison of query results, and results as text tables."""

from __future__ import annotations

from collections import Counter
from typing import Any

from factory_sql.database import QueryResult

SIGNIFICANT_DIGITS = 6
MAX_CELL_WIDTH = 28


def has_same_rows(gold: QueryResult, result: QueryResult, is_ordered: bool) -> bool:
    """Whether two results hold the same rows equally often, in the same order if ordered; column names do not count."""
    if gold.truncated != result.truncated or len(gold.rows) != len(result.rows):
        return False
    # Floats are rounded, so that the last bits of a sum do not matter.
    expected, actual = (
        [tuple(float(f"{cell:.{SIGNIFICANT_DIGITS}g}") if isinstance(cell, float) else cell for cell in row)
         for row in rows]
        for rows in (gold.rows, result.rows)
    )
    return expected == actual if is_ordered else Counter(expected) == Counter(actual)


def render_result_table(result: QueryResult, max_rows: int) -> str:
    """Render the first rows as a text table under the column names."""
    lines = [result.columns, *result.rows[:max_rows]]
    cells = [[_render_result_cell(value) for value in line] for line in lines]
    widths = [max(len(line[index]) for line in cells) for index in range(len(result.columns))]
    text = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells]
    hidden = len(result.rows) - max_rows
    if hidden > 0:
        text.append(f"… and {hidden}{' or more' if result.truncated else ''} more row{'s' if hidden > 1 else ''}")
    elif not result.rows:
        text.append("no rows")
    return "\n".join(text)


def _render_result_cell(value: Any) -> str:
    text = "" if value is None else f"{value:.{SIGNIFICANT_DIGITS}g}" if isinstance(value, float) else str(value)
    text = " ".join(text.split())
    return text if len(text) <= MAX_CELL_WIDTH else f"{text[: MAX_CELL_WIDTH - 1]}…"
