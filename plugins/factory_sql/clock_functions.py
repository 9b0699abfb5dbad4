"""Date functions that do not read the clock: a score must not change with the day or the computer's time zone."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

DATE_FUNCTIONS = ("date", "time", "datetime", "julianday", "strftime", "unixepoch")
CLOCK_WORDS = ("now", "localtime", "utc")
"""Arguments that read the clock or the time zone."""
CLOCK_REFUSAL = "the query reads the clock or the time zone, so its result would change"


def reads_clock(name: str, arguments: tuple[Any, ...]) -> bool:
    """Whether a date function of these arguments depends on the clock; without a time value it means now."""
    is_without_time = len(arguments) < (2 if name == "strftime" else 1)
    words = (argument.strip().lower() for argument in arguments if isinstance(argument, str))
    return is_without_time or any(word in CLOCK_WORDS for word in words)


def replace_date_functions(connection: sqlite3.Connection) -> None:
    """Replace the date functions of a connection by ones that raise ValueError where they would read the clock.

    The values come from the functions of another connection, so that they are SQLite's own. A look at the statement is
    not enough: the word `now` can be put together, or be a value in a table.
    """
    own = sqlite3.connect(":memory:", check_same_thread=False)
    for name in DATE_FUNCTIONS:
        connection.create_function(name, -1, _build_date_function(own, name), deterministic=True)


def _build_date_function(own: sqlite3.Connection, name: str) -> Callable[..., Any]:
    def compute(*arguments: Any) -> Any:
        if reads_clock(name, arguments):
            raise ValueError(CLOCK_REFUSAL)
        return own.execute(f"SELECT {name}({', '.join('?' * len(arguments))})", arguments).fetchone()[0]

    return compute
