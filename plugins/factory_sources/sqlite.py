"""A SQLite file: a table, or what a query that only reads gives."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

from pydantic import Field, model_validator

from factory.api import Input, Job
from factory_sources.records import RecordSource, SourceRecord, convert_to_json_value, require_columns

READ_ACTIONS = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE})
NONDETERMINISTIC_FUNCTIONS = frozenset({
    "random", "randomblob", "load_extension", "current_timestamp", "current_date", "current_time",
})
"""Functions that a query may not call: the same file would not give the same rows, or they reach outside it."""


class Sqlite(RecordSource):
    """A row for each row of a table, or of a query. The file is opened so that nothing can be written to it."""

    kind = "sqlite"

    file: Annotated[Path, Input()] = Field(description="the database, relative to the spec")
    table: str = Field("", description="the table to read")
    query: str = Field("", description="or one SELECT, with an ORDER BY where the order matters")

    @model_validator(mode="after")
    def _require_table_or_query(self) -> Sqlite:
        if bool(self.table) == bool(self.query.strip()):
            raise ValueError("name the `table` to read, or write a `query`: one of the two")
        return self

    def describe_source(self) -> str:
        return str(self.file)

    def convert_field_value(self, value: Any) -> Any:
        return convert_to_json_value(value)

    def read_records(self, job: Job) -> Iterator[SourceRecord]:
        shown, guard = str(self.file), _ReadOnlyAuthorizer()
        with closing(_open_read_only(job.root / self.file, shown)) as database:
            database.text_factory = lambda text: text.decode(errors="surrogateescape")
            database.set_authorizer(guard)
            try:
                cursor = database.execute(self._build_select(shown, database))
                names = [column[0] for column in cursor.description or ()]
                require_columns(self.list_source_fields(), names, f"{shown}: {self.table or 'query'}")
                for number, cells in enumerate(cursor, 1):
                    yield SourceRecord(
                        shown, number, dict(zip(names, cells, strict=True)), f"{self.file.stem}#{number}"
                    )
            except (sqlite3.Error, sqlite3.Warning) as error:
                raise ValueError(f"{shown}: {'table' if self.table else 'query'}: {guard.refusal or error}") from error

    def _build_select(self, shown: str, database: sqlite3.Connection) -> str:
        if self.query:
            return self.query
        found = database.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view') ORDER BY name")
        names = [str(name) for (name,) in found]
        if self.table not in names:
            raise ValueError(f"{shown}: {self.table}: no such table; there are {', '.join(names) or 'none'}")
        return f'SELECT * FROM "{self.table.replace(chr(34), chr(34) * 2)}"'


class _ReadOnlyAuthorizer:
    """Lets a statement read, and nothing else; says what it refused."""

    def __init__(self) -> None:
        self.refusal = ""

    def __call__(self, action: int, first: str | None, second: str | None, *_: str | None) -> int:
        if action in READ_ACTIONS or (
            action == sqlite3.SQLITE_FUNCTION and (second or "").lower() not in NONDETERMINISTIC_FUNCTIONS
        ):
            return sqlite3.SQLITE_OK
        called = f"the function {second} may not be called" if action == sqlite3.SQLITE_FUNCTION else ""
        self.refusal = called or "only a SELECT may run here; this would change something, or reach outside the file"
        return sqlite3.SQLITE_DENY


def _open_read_only(path: Path, shown: str) -> sqlite3.Connection:
    """The database, open for reading. Raises ValueError when it is none, or has changes not in the file yet."""
    log = path.with_name(f"{path.name}-wal")
    if log.exists() and log.stat().st_size:
        raise ValueError(f"{shown}: {log.name} holds changes that are not in the file yet; close what writes to it")
    database = sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode=ro&immutable=1", uri=True)
    try:
        database.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.DatabaseError as error:
        database.close()
        raise ValueError(f"{shown}: not a SQLite database: {error}") from error
    return database
