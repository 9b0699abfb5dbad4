"""Side table of databases: one row each, with the file (relative to the spec) and the schema."""

from __future__ import annotations

import json
from pathlib import Path

from factory.api import Provenance, Row
from factory_sql.database import DATABASE_SUFFIXES, SqliteDatabase, open_database

DATABASES_TABLE = "databases"


def build_database_row(name: str, file: Path, database: SqliteDatabase, licence: str) -> Row:
    """Build the side-table row of a database."""
    schema = json.dumps(database.schema.to_json(), ensure_ascii=False, separators=(",", ":"))
    origin = Provenance(file.as_posix(), licence=licence)
    return Row(name, {"file": file.as_posix(), "schema": schema}, origin, table=DATABASES_TABLE)


def locate_database(root: Path, where: Path, name: str) -> Path:
    """Locate a database file relative to `root`: `where` itself, or the file called `name` in the folder `where`.

    Raises ValueError if there is none.
    """
    if (root / where).is_file():
        return where
    for file in (folder / f"{name}{suffix}" for suffix in DATABASE_SUFFIXES for folder in (where, where / name)):
        if (root / file).is_file():
            if not (root / file).resolve().is_relative_to((root / where).resolve()):
                raise ValueError(f"{file}: a link to a file outside of the folder; copy it")
            return file
    raise ValueError(f"{where}: no database {name!r}; expected {name}.sqlite or {name}.sql in this folder")


def open_row_database(root: Path, row: Row) -> SqliteDatabase:
    """Open the database of a side-table row, whose file is relative to `root`."""
    database = open_database(root / str(row["file"]))
    _OPENED_DATABASES[row["file"], row["schema"]] = database
    return database


def get_opened_database(row: Row) -> SqliteDatabase | None:
    """Return the database of a row if this process has opened it; for callers that do not know the root."""
    return _OPENED_DATABASES.get((row["file"], row["schema"]))


_OPENED_DATABASES: dict[tuple[str, str], SqliteDatabase] = {}
