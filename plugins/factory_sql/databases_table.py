"""The side table of databases: a row for each, with its file relative to the spec and its schema."""

from __future__ import annotations

import json
from pathlib import Path

from factory.api import Provenance, Row
from factory_sql.database import DATABASE_SUFFIXES, SqliteDatabase, open_database

DATABASES_TABLE = "databases"


def build_database_row(name: str, file: Path, found: SqliteDatabase, licence: str) -> Row:
    """The row of one database."""
    schema = json.dumps(found.schema.to_json(), ensure_ascii=False, separators=(",", ":"))
    return Row(name, {"file": file.as_posix(), "schema": schema}, Provenance(file.as_posix(), licence=licence),
               table=DATABASES_TABLE)


def locate_database(root: Path, where: Path, name: str) -> Path:
    """The file of a database, relative to `root`: `where` itself, or the one of that name in the folder `where`.

    Raises ValueError when there is none.
    """
    if (root / where).is_file():
        return where
    for suffix in DATABASE_SUFFIXES:
        for file in (where / f"{name}{suffix}", where / name / f"{name}{suffix}"):
            if (root / file).is_file():
                return file
    raise ValueError(f"{where}: there is no database {name!r} here; {name}.sqlite or {name}.sql is looked for")


def open_row_database(root: Path, row: Row) -> SqliteDatabase:
    """The database of a row of the side table, whose file is relative to `root`."""
    found = open_database(root / str(row["file"]))
    _OPENED_DATABASES[row["file"], row["schema"]] = found
    return found


def get_opened_database(row: Row) -> SqliteDatabase | None:
    """The same where nobody knows the root: the one that this process opened last, if it did."""
    return _OPENED_DATABASES.get((row["file"], row["schema"]))


_OPENED_DATABASES: dict[tuple[str, str], SqliteDatabase] = {}
