"""Comparison of query results, and results as text tables."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

from factory_sql.database import QueryResult

SIGNIFICANT_DIGITS = 6
"""Digits of a number that is shown."""
COMPARED_DIGITS = 12
NUMBER_TOLERANCE = 1e-9
"""Relative and absolute difference up to which numbers are equal, if one of them is a float."""
MAX_CELL_WIDTH = 28


def has_answer_values(result: QueryResult) -> bool:
    """Whether a result says something: a row has a value; a single row of zeros and nulls does not count."""
    if len(result.rows) == 1 and all(value in (None, 0) for value in result.rows[0]):
        return False
    return any(value is not None for row in result.rows for value in row)


def has_same_rows(gold: QueryResult, result: QueryResult, is_ordered: bool) -> bool:
    """Whether two results hold the same rows equally often, in the same order if ordered.

    Columns count in their order and without their names; rows that an ORDER BY leaves tied count in their order too.
    Numbers are equal up to rounding, whether integer or float; a number and its digits as text differ.
    """
    if gold.truncated or result.truncated or len(gold.rows) != len(result.rows):
        return False
    if is_ordered:
        return _are_rows_close(gold.rows, result.rows)
    keys = [[tuple(map(_round_cell, row)) for row in rows] for rows in (gold.rows, result.rows)]
    if Counter(keys[0]) == Counter(keys[1]):
        return True
    # Two equal numbers can lie on both sides of where rounding turns; sorting brings them together.
    ordered = [sorted(rows, key=lambda row: tuple(map(_build_sort_key, row))) for rows in (gold.rows, result.rows)]
    return _are_rows_close(*ordered)


def _are_rows_close(gold: Sequence[tuple[Any, ...]], other: Sequence[tuple[Any, ...]]) -> bool:
    return all(
        len(one) == len(two) and all(map(_is_same_value, one, two)) for one, two in zip(gold, other, strict=True)
    )


def _is_same_value(one: Any, other: Any) -> bool:
    """Whether two cells are equal: integers exactly, other numbers up to rounding, the rest with their type."""
    are_numbers = isinstance(one, int | float) and isinstance(other, int | float)
    if are_numbers and float in (type(one), type(other)):
        return math.isclose(one, other, rel_tol=NUMBER_TOLERANCE, abs_tol=NUMBER_TOLERANCE)
    return type(one) is type(other) and bool(one == other)


def _round_cell(cell: Any) -> Any:
    """Round a float so that the last bits of a sum do not matter; a whole number then equals an integer."""
    return float(f"{cell:.{COMPARED_DIGITS}g}") if isinstance(cell, float) else cell


def _build_sort_key(cell: Any) -> tuple[int, Any]:
    """Return a key that orders cells of all types: NULL, numbers, texts, blobs."""
    if cell is None:
        return 0, 0
    return (1, cell) if isinstance(cell, int | float) else (2, cell) if isinstance(cell, str) else (3, cell)


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
