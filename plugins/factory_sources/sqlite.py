"""SQLite files: a table, or the result of a read-only query."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

from pydantic import Field, model_validator

from factory.api import Input, Job
from factory.text.file_formats import HEAD_BYTES, suggest_kind
from factory.text.suggestions import suggest_near_name
from factory_sources.records import FileSource, SourceRecord, require_columns

READ_ACTIONS = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE})
NONDETERMINISTIC_FUNCTIONS = frozenset({
    "random", "randomblob", "load_extension", "current_timestamp", "current_date", "current_time",
})
"""Functions that a query may not call: their results vary, or they reach outside the file."""
MAX_CELL_BYTES = 64 << 20
MAX_SECONDS_TO_A_ROW = 120.0
"""Seconds that a table, view or query may take to its next row."""
MAX_VIEW_ROWS = 5_000_000
"""Rows of a view or a query, which may go on for ever; a table has as many as it has."""
STEPS_PER_CHECK = 100_000


class Sqlite(FileSource):
    """Reads a table or the result of a query, one row per row. The file is opened read-only."""

    kind = "sqlite"
    has_typed_values = True

    file: Annotated[Path, Input()] = Field(description="SQLite file, relative to the spec")
    table: str = Field("", description="table to read")
    query: str = Field("", description="SELECT statement to run instead; add ORDER BY if the order matters")

    @model_validator(mode="after")
    def _require_table_or_query(self) -> Sqlite:
        if bool(self.table) == bool(self.query.strip()):
            raise ValueError("give either `table` or `query`")
        return self

    def read_records(self, job: Job) -> Iterator[SourceRecord]:
        shown, guard = str(self.file), _ReadOnlyAuthorizer()
        with closing(_open_read_only(job.root / self.file, shown)) as database:
            # Text that is not UTF-8 becomes lone surrogates, which convert_to_json_value reports by row and column.
            database.text_factory = lambda text: text.decode(errors="surrogateescape")
            database.set_authorizer(guard)
            database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_CELL_BYTES)
            clock = _RowClock()
            database.set_progress_handler(clock.is_late, STEPS_PER_CHECK)
            try:
                cursor = database.execute(self._build_select(shown, database))
                names = [column[0] for column in cursor.description or ()]
                require_columns(self.list_source_fields(), names, f"{shown}: {self.table or 'query'}")
                limit = float("inf") if self._is_stored(database) else MAX_VIEW_ROWS
                for number, cells in enumerate(cursor, 1):
                    if number > limit:
                        raise ValueError(f"{shown}: more than {MAX_VIEW_ROWS:,} rows from a view or query; add a LIMIT")
                    values = dict(zip(names, cells, strict=True))
                    yield SourceRecord(shown, number, values, f"{self.file.stem}#{number}")
                    clock.restart()  # the time of whoever asks for rows does not count
            except (sqlite3.Error, sqlite3.Warning) as error:
                reason = guard.refusal or clock.refusal or error
                raise ValueError(f"{shown}: {'table' if self.table else 'query'}: {reason}") from error

    def _is_stored(self, database: sqlite3.Connection) -> bool:
        """Whether the rows are those of a table, and not computed."""
        found = database.execute("SELECT type FROM sqlite_master WHERE name = ?", [self.table]).fetchone()
        return bool(found) and found[0] == "table"

    def _build_select(self, shown: str, database: sqlite3.Connection) -> str:
        if self.query:
            return self.query
        listing = "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') ORDER BY name"
        names = [str(name) for (name,) in database.execute(listing)]
        if self.table not in names:
            tables = ", ".join(names) or "no tables"
            near = suggest_near_name(self.table, names)
            raise ValueError(f"{shown}: {self.table}: no such table; the database has {tables}{near}")
        return f'SELECT * FROM "{self.table.replace(chr(34), chr(34) * 2)}"'


class _ReadOnlyAuthorizer:
    """SQLite authorizer that only permits reads; `refusal` describes what it denied."""

    def __init__(self) -> None:
        self.refusal = ""

    def __call__(self, action: int, first: str | None, second: str | None, *_: str | None) -> int:
        is_call = action == sqlite3.SQLITE_FUNCTION
        if action in READ_ACTIONS or (is_call and (second or "").lower() not in NONDETERMINISTIC_FUNCTIONS):
            return sqlite3.SQLITE_OK
        refused_call = f"the function {second} is not allowed" if is_call else ""
        self.refusal = refused_call or "only SELECT is allowed; this statement writes, or reaches outside the file"
        return sqlite3.SQLITE_DENY


class _RowClock:
    """Stops a statement that takes too long to its next row; `refusal` then says so."""

    def __init__(self) -> None:
        self.refusal = ""
        self.restart()

    def restart(self) -> None:
        self._deadline = time.monotonic() + MAX_SECONDS_TO_A_ROW

    def is_late(self) -> bool:
        if time.monotonic() > self._deadline:
            self.refusal = f"no row within {MAX_SECONDS_TO_A_ROW:g} seconds, so it was stopped"
        return bool(self.refusal)


def _open_read_only(path: Path, shown: str) -> sqlite3.Connection:
    """Open a database for reading. Raises ValueError if it is not one, or has unmerged changes in its log."""
    # `immutable` below skips locks and the write-ahead log, so committed changes in a log would be missed.
    log = path.with_name(f"{path.name}-wal")
    if log.exists() and log.stat().st_size:
        raise ValueError(f"{shown}: {log.name} has unmerged changes; close the program that writes to it")
    database = sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode=ro&immutable=1", uri=True)
    try:
        database.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.DatabaseError as error:
        database.close()
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
        why = str(error) if head.startswith(b"SQLite format 3") else suggest_kind(head)
        raise ValueError(f"{shown}: not a SQLite database: {why}") from error
    return database
