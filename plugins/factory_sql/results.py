"""Whether two results are the same answer, and a result as a person reads it."""

from __future__ import annotations

from collections import Counter
from typing import Any

from factory_sql.database import Result

DIGITS = 6
WIDTH = 28


def equal(gold: Result, said: Result, ordered: bool) -> bool:
    """Whether they hold the same rows as often; in the same order, when the question orders. Names do not count."""
    if gold.cut != said.cut or len(gold.rows) != len(said.rows):
        return False
    one, other = [_plain(row) for row in gold.rows], [_plain(row) for row in said.rows]
    return one == other if ordered else Counter(one) == Counter(other)


def _plain(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """A row with its numbers rounded, so that 2, 2.0 and the last bits of a sum are one."""
    return tuple(float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value for value in row)


def table(result: Result, most: int) -> str:
    """The first rows under the names of the columns."""
    lines = [result.columns, *result.rows[:most]]
    cells = [[_cell(value) for value in line] for line in lines]
    widths = [max(len(line[place]) for line in cells) for place in range(len(result.columns))]
    text = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells]
    left = len(result.rows) - most
    more = [f"… and {left}{' or more' if result.cut else ''} more rows"] if left > 0 else []
    return "\n".join([*text, *(more or ([] if result.rows else ["no rows"]))])


def _cell(value: Any) -> str:
    text = "" if value is None else f"{value:.{DIGITS}g}" if isinstance(value, float) else str(value)
    text = " ".join(text.split())
    return text if len(text) <= WIDTH else f"{text[: WIDTH - 1]}…"
