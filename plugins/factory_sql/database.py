"""A SQLite database that nobody can change: opened read-only, asked with limits on work, rows and functions.

The limit on work is counted in steps of SQLite's machine, not in seconds, so that the same statement is stopped at the
same place on any computer; a clock stands behind it for what counts little and takes long.
"""

from __future__ import annotations

import sqlite3
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from factory_sql.schema import DatabaseSchema, read_database_schema

MAX_RESULT_ROWS = 2000
MAX_VM_STEPS = 20_000_000
MAX_QUERY_SECONDS = 20.0
STEPS_PER_CHECK = 1000
MAX_STRING_LENGTH = 1_000_000
DATABASE_SUFFIXES = (".sqlite", ".sqlite3", ".db", ".sql")
NON_WINDOW_FUNCTIONS = frozenset({
    "abs", "avg", "coalesce", "count", "date", "datetime", "glob", "group_concat", "ifnull", "iif", "instr",
    "julianday", "length", "like", "lower", "ltrim", "max", "min", "nullif", "replace", "round", "rtrim",
    "strftime", "substr", "substring", "sum", "time", "total", "trim", "typeof", "upper",
})
"""What a statement may call. Whatever reads or writes files, loads code, or makes long strings is not among them."""

ALLOWED_FUNCTIONS = NON_WINDOW_FUNCTIONS | {"dense_rank", "first_value", "lag", "last_value", "lead", "ntile", "rank", "row_number"}
"""The same with those that need a window."""

READ_ACTIONS = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, getattr(sqlite3, "SQLITE_RECURSIVE", 33)}


class QueryRefusedError(ValueError):
    """A statement that was not run, or not to its end; the text says why, in one line."""


@dataclass(frozen=True, slots=True)
class QueryResult:
    """What a statement gave; `cut` when there was more than the limit."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    truncated: bool = False


class SqliteDatabase:
    """One database of one process, with its schema."""

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise FileNotFoundError(f"{path.name}: no such database; a .sqlite file or a .sql script is wanted")
        self._connection = _connect_read_only(path)
        self._connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
        try:
            self.schema: DatabaseSchema = read_database_schema(self._connection)
        except sqlite3.DatabaseError as error:
            raise ValueError(f"{path.name}: {error}") from error
        self._connection.execute("PRAGMA query_only = ON")
        self._connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_STRING_LENGTH)
        self._connection.set_authorizer(_authorize_reading)

    def run(self, sql: str, rows: int = MAX_RESULT_ROWS, steps: int = MAX_VM_STEPS) -> QueryResult:
        """Run one reading statement. Raises RefusedError for anything else, and when it is too much work."""
        clock = time.monotonic() + MAX_QUERY_SECONDS
        left = steps // STEPS_PER_CHECK

        def stop() -> bool:
            nonlocal left
            left -= 1
            return left < 0 or time.monotonic() > clock

        self._connection.set_progress_handler(stop, STEPS_PER_CHECK)
        try:
            cursor = self._connection.execute(sql)
            found = cursor.fetchmany(rows + 1)
        except (sqlite3.Error, sqlite3.Warning) as error:
            raise QueryRefusedError("it takes too long" if left < 0 else " ".join(str(error).split())) from error
        except (ValueError, UnicodeError, OverflowError, MemoryError) as error:
            raise QueryRefusedError(f"it can not be run: {type(error).__name__}") from error
        finally:
            self._connection.set_progress_handler(None, 0)
        columns = tuple(name for name, *_ in cursor.description or ())
        return QueryResult(columns, tuple(found[:rows]), len(found) > rows)


def _connect_read_only(path: Path) -> sqlite3.Connection:
    if path.suffix != ".sql":
        return sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True, check_same_thread=False)
    connection = sqlite3.connect(":memory:", check_same_thread=False)
    connection.set_authorizer(_authorize_script)
    try:
        connection.executescript(path.read_text(encoding="utf-8"))
    except sqlite3.Error as error:
        raise ValueError(f"{path.name}: {error}") from error
    connection.set_authorizer(None)
    return connection


def _authorize_script(action: int, *_: Any) -> int:
    """A script makes its own tables; it opens no other file."""
    return sqlite3.SQLITE_DENY if action in (sqlite3.SQLITE_ATTACH, sqlite3.SQLITE_DETACH) else sqlite3.SQLITE_OK


def _authorize_reading(action: int, first: str | None, second: str | None, *_: Any) -> int:
    """Reading alone, of no table of SQLite's own, with none but the known functions."""
    if action == sqlite3.SQLITE_FUNCTION:
        return sqlite3.SQLITE_OK if (second or "").lower() in ALLOWED_FUNCTIONS else sqlite3.SQLITE_DENY
    if action == sqlite3.SQLITE_READ and (first or "").lower().startswith(("sqlite_", "pragma_")):
        return sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK if action in READ_ACTIONS else sqlite3.SQLITE_DENY


def open_database(path: Path) -> SqliteDatabase:
    """The database of a file, opened once a process as long as the file stays the same."""
    stamp = path.stat().st_mtime_ns if path.is_file() else 0
    return _open_cached_database(path, stamp)


@lru_cache(maxsize=256)
def _open_cached_database(path: Path, stamp: int) -> SqliteDatabase:
    return SqliteDatabase(path)
