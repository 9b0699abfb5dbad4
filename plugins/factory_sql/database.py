"""Read-only SQLite databases, with limits on work, rows and functions.

Work is limited in steps of SQLite's virtual machine and not in seconds, so that a statement stops at the same point on
any computer; a clock also stops statements that take few steps and much time.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from factory_sql.clock_functions import CLOCK_REFUSAL, replace_date_functions
from factory_sql.schema import DatabaseSchema, read_database_schema

MAX_RESULT_ROWS = 2000
"""Rows of a result that is shown."""
MAX_COMPARED_ROWS = 100_000
"""Rows of a result that is compared: a reference query with more of them is refused."""
MAX_RESULT_BYTES = 16_000_000
"""Size of a result, counted while its rows are fetched."""
MAX_STATEMENT_LENGTH = 20_000
"""Characters of a statement: parsing takes a second for so many, and is outside of every clock."""
MAX_VM_STEPS = 20_000_000
MAX_QUERY_SECONDS = 20.0
STEPS_PER_CHECK = 100
"""Steps between two looks at the clock: few, since a step that calls a function on long strings takes long."""
MAX_STRING_LENGTH = 100_000
"""Characters of a string: `instr` and `replace` take the square of it, and no clock stops a function."""
MAX_HEAP_BYTES = 1 << 30
"""Memory of SQLite in this process, for sorting and intermediate tables."""
MAX_SCRIPT_BYTES = 256 << 20
"""Size of a script, and of the database in memory that it makes."""
MAX_SCRIPT_SECONDS = 120.0
"""Seconds that a script, or reading the schema of a file, may take."""
HARMLESS_PRAGMAS = frozenset({"foreign_keys", "defer_foreign_keys", "encoding", "user_version", "application_id"})
"""Pragmas that a script may set; others are ignored, as some lift the limits."""
DATABASE_SUFFIXES = (".sqlite", ".sqlite3", ".db", ".sql")
ANY_NUMBER = 8
"""Arguments that a statement may give to a function which takes any number."""
FUNCTION_ARITIES = {
    "abs": (1, 1), "avg": (1, 1), "coalesce": (2, ANY_NUMBER), "count": (0, 1), "date": (1, ANY_NUMBER),
    "datetime": (1, ANY_NUMBER), "glob": (2, 2), "group_concat": (1, 2), "ifnull": (2, 2), "iif": (3, 3),
    "instr": (2, 2), "julianday": (1, ANY_NUMBER), "length": (1, 1), "like": (2, 3), "lower": (1, 1), "ltrim": (1, 2),
    "max": (1, ANY_NUMBER), "min": (1, ANY_NUMBER), "nullif": (2, 2), "replace": (3, 3), "round": (1, 2),
    "rtrim": (1, 2), "strftime": (2, ANY_NUMBER), "substr": (2, 3), "substring": (2, 3), "sum": (1, 1),
    "time": (1, ANY_NUMBER), "total": (1, 1), "trim": (1, 2), "typeof": (1, 1), "upper": (1, 1),
}
"""Functions that constrained decoding offers, with the least and the greatest number of arguments: SQLite's own, but a
date needs a time value, since without one it reads the clock. A change of them changes the answers of models."""
AGGREGATES = ("avg", "count", "group_concat", "max", "min", "sum", "total")
"""Functions that may have DISTINCT before their only argument."""

ALLOWED_FUNCTIONS = frozenset(FUNCTION_ARITIES) | {
    "dense_rank", "first_value", "lag", "last_value", "lead", "ntile", "rank", "row_number",
    "cume_dist", "nth_value", "percent_rank",
    "char", "format", "hex", "printf", "quote", "sign", "unicode", "unixepoch",
    "json", "json_array", "json_array_length", "json_extract", "json_object", "json_type", "json_valid", "->", "->>",
    "acos", "asin", "atan", "atan2", "ceil", "ceiling", "cos", "degrees", "exp", "floor", "ln", "log", "log10", "log2",
    "mod", "pi", "pow", "power", "radians", "sin", "sqrt", "tan", "trunc",
}
"""Functions that a statement may call: deterministic ones, of which none reads or writes files or loads code."""

READ_ACTIONS = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, getattr(sqlite3, "SQLITE_RECURSIVE", 33)}


class QueryRefusedError(ValueError):
    """A statement was not run, or was stopped; the message gives the reason in one line."""


@dataclass(frozen=True, slots=True)
class QueryResult:
    """Columns and rows of a result; `truncated` if there were more rows than the limit."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    truncated: bool = False


class SqliteDatabase:
    """A read-only database with its schema, for one process."""

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise FileNotFoundError(f"{path.name}: no such database; expected a .sqlite file or a .sql script")
        self._connection = _connect_read_only(path)
        self._connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
        try:
            with _limit_seconds(self._connection):
                self.schema: DatabaseSchema = read_database_schema(self._connection)
        except sqlite3.DatabaseError as error:
            raise ValueError(f"{path.name}: {error}") from error
        _limit_memory(self._connection)
        replace_date_functions(self._connection)
        self._connection.execute("PRAGMA query_only = ON")
        self._connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_STRING_LENGTH)
        self._connection.set_authorizer(_authorize_reading)

    def run(self, sql: str, rows: int = MAX_RESULT_ROWS) -> QueryResult:
        """Run one read-only statement. Raises QueryRefusedError for anything else, and when a limit is exceeded."""
        if len(sql) > MAX_STATEMENT_LENGTH:
            raise QueryRefusedError(f"the statement is longer than {MAX_STATEMENT_LENGTH} characters")
        deadline = time.monotonic() + MAX_QUERY_SECONDS
        checks_left = MAX_VM_STEPS // STEPS_PER_CHECK

        def stop() -> bool:
            nonlocal checks_left
            checks_left -= 1
            return checks_left < 0 or time.monotonic() > deadline

        self._connection.set_progress_handler(stop, STEPS_PER_CHECK)
        try:
            cursor = self._connection.execute(sql)
            fetched = _fetch_rows(cursor, rows + 1)
        except QueryRefusedError:
            raise
        except (sqlite3.Error, sqlite3.Warning) as error:
            is_late = checks_left < 0 or time.monotonic() > deadline
            raise QueryRefusedError("the query takes too long" if is_late else _explain_error(error)) from error
        except (ValueError, UnicodeError, OverflowError, MemoryError) as error:
            raise QueryRefusedError(f"the query cannot be run: {type(error).__name__}") from error
        finally:
            self._connection.set_progress_handler(None, 0)
        columns = tuple(name for name, *_ in cursor.description or ())
        return QueryResult(columns, tuple(fetched[:rows]), len(fetched) > rows)

    def sample_rows(self, sql: str, rows: int) -> tuple[tuple[Any, ...], ...]:
        """Return the first rows of a statement; none if it is refused or stopped."""
        try:
            return self.run(sql, rows).rows
        except QueryRefusedError:
            return ()


def _fetch_rows(cursor: sqlite3.Cursor, count: int) -> list[tuple[Any, ...]]:
    """Return the first rows. Raises QueryRefusedError if they are larger than a result may be."""
    fetched, size = [], 0
    for row in cursor:
        size += sum(len(cell) if isinstance(cell, str | bytes) else 8 for cell in row)
        if size > MAX_RESULT_BYTES:
            raise QueryRefusedError(f"the result is larger than {MAX_RESULT_BYTES // 10**6} MB")
        fetched.append(row)
        if len(fetched) == count:
            break
    return fetched


def _explain_error(error: Exception) -> str:
    """Return SQLite's reason in one line; that of the date functions, which SQLite does not pass on, is known."""
    text = " ".join(str(error).split())
    return CLOCK_REFUSAL if text.startswith("user-defined function") else text


def _limit_memory(connection: sqlite3.Connection) -> None:
    """Keep intermediate tables in memory, not in files, and bound the memory of SQLite in this process."""
    connection.execute("PRAGMA temp_store = MEMORY")
    connection.execute(f"PRAGMA hard_heap_limit = {MAX_HEAP_BYTES}")


def _connect_read_only(path: Path) -> sqlite3.Connection:
    if path.suffix != ".sql":
        return sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True, check_same_thread=False)
    if path.stat().st_size > MAX_SCRIPT_BYTES:
        raise ValueError(f"{path.name}: larger than {MAX_SCRIPT_BYTES >> 20} MiB; make it a .sqlite file")
    connection = sqlite3.connect(":memory:", check_same_thread=False)
    _limit_memory(connection)
    page_size = connection.execute("PRAGMA page_size").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {MAX_SCRIPT_BYTES // page_size}")
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_RESULT_BYTES)
    connection.set_authorizer(_authorize_script)
    try:
        with _limit_seconds(connection):
            connection.executescript(path.read_text(encoding="utf-8"))
    except (sqlite3.Error, MemoryError, ValueError) as error:
        raise ValueError(f"{path.name}: {_explain_script_error(error)}") from error
    connection.set_authorizer(None)
    return connection


def _explain_script_error(error: Exception) -> str:
    """Return why a script was refused, in one line."""
    text = " ".join(str(error).split())
    reasons = {
        "interrupted": f"was stopped after {MAX_SCRIPT_SECONDS:g} seconds",
        "database or disk is full": f"makes a database of more than {MAX_SCRIPT_BYTES >> 20} MiB",
        "string or blob too big": f"holds a value of more than {MAX_RESULT_BYTES // 10**6} MB",
    }
    return reasons.get(text, text or "takes too much memory")


@contextmanager
def _limit_seconds(connection: sqlite3.Connection) -> Iterator[None]:
    """Within the context, interrupt statements once MAX_SCRIPT_SECONDS are over."""
    deadline = time.monotonic() + MAX_SCRIPT_SECONDS
    connection.set_progress_handler(lambda: time.monotonic() > deadline, 10 * STEPS_PER_CHECK)
    try:
        yield
    finally:
        connection.set_progress_handler(None, 0)


def _authorize_script(action: int, first: str | None = None, *_: Any) -> int:
    """Authorizer for scripts: they may create tables, but neither open other files nor change limits."""
    if action == sqlite3.SQLITE_PRAGMA and (first or "").lower() not in HARMLESS_PRAGMAS:
        return sqlite3.SQLITE_IGNORE
    return sqlite3.SQLITE_DENY if action in (sqlite3.SQLITE_ATTACH, sqlite3.SQLITE_DETACH) else sqlite3.SQLITE_OK


def _authorize_reading(action: int, first: str | None, second: str | None, *_: Any) -> int:
    """Authorizer for queries: read only, no internal tables, known functions only."""
    if action == sqlite3.SQLITE_FUNCTION:
        return sqlite3.SQLITE_OK if (second or "").lower() in ALLOWED_FUNCTIONS else sqlite3.SQLITE_DENY
    if action == sqlite3.SQLITE_READ and (first or "").lower().startswith(("sqlite_", "pragma_")):
        return sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK if action in READ_ACTIONS else sqlite3.SQLITE_DENY


def open_database(path: Path) -> SqliteDatabase:
    """Open a database once per process, and again when its file changes."""
    return _open_cached_database(path, path.stat().st_mtime_ns if path.is_file() else 0)


@lru_cache(maxsize=256)
def _open_cached_database(path: Path, stamp: int) -> SqliteDatabase:
    return SqliteDatabase(path)
