"""The questions and the databases in a folder, for a new spec."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from factory.text.jsonl import read_first_object
from factory_sql.database import DATABASE_SUFFIXES

FIELD_NAMES = {
    "question": ("question", "utterance", "input", "text"), "sql": ("sql", "SQL", "query", "answer", "output"),
    "db": ("db", "db_id", "database", "database_id"),
}
"""Name of a field → its usual names in collections."""
SQLITE_SIGNATURE = b"SQLite format 3\x00"


def is_database_file(path: Path) -> bool:
    """Return whether a file is a SQLite database or an SQL script."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(SQLITE_SIGNATURE)) == SQLITE_SIGNATURE or path.suffix.lower() == ".sql"


def draft_pair_fields(data: Path, defaults: Mapping[str, str]) -> Mapping[str, Any]:
    """Return the file of questions, its databases, and names of fields that differ from the defaults; {} if the file,
    or none in the folder, holds questions with SQL. Raises ValueError if there is no database beside it."""
    files = sorted(data.glob("*.jsonl")) if data.is_dir() else [data]
    found = {file: names for file in files if (names := _find_field_names(read_first_object(file)))}
    if not found:
        return {}
    file, names = next(iter(found.items()))
    databases = _find_databases(file.parent)
    if databases is None:
        remedy = f"put a .sqlite file or .sql script, or a folder of them, into {file.parent.resolve().name}"
        raise ValueError(f"questions with SQL ({file.name}), and no database beside them; {remedy}")
    fields = {field: name for field, name in names.items() if name != defaults[field]}
    return {"file": file, "databases": databases, **({"fields": fields} if fields else {})}


def _find_field_names(record: Mapping[str, Any]) -> dict[str, str]:
    """Return which fields hold question, SQL and database; {} without a question or SQL."""
    names: dict[str, str] = {}
    for field, usual in FIELD_NAMES.items():
        if name := next((name for name in usual if isinstance(record.get(name), str)), ""):
            names[field] = name
    return names if {"question", "sql"} <= names.keys() and _is_select(record[names["sql"]]) else {}


def _is_select(text: str) -> bool:
    return text.lstrip(" (\n\t").lower().startswith(("select", "with"))


def _find_databases(folder: Path) -> Path | None:
    """Return the only database of a folder, else the folder of several; None if there is none."""
    files = [path for path in sorted(folder.iterdir()) if is_database_file(path)]
    if len(files) == 1:
        return files[0]
    if files:
        return folder
    holders = [path for path in sorted(folder.iterdir()) if path.is_dir() and _holds_databases(path)]
    return holders[0] if holders else None


def _holds_databases(folder: Path) -> bool:
    """Return whether databases lie in a folder, or each in a folder of its own name."""
    return any(path.suffix.lower() in DATABASE_SUFFIXES for path in (*folder.glob("*"), *folder.glob("*/*")))
