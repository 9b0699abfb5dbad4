"""Files of JSON: one canonical object a line for rows, indented and sorted for what a person reads too."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from factory import identity
from factory.api.lines import no_constant, read_lines
from factory.api.rows import Row
from factory.errors import InputError


def read_jsonl(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the objects of a file, one a line; empty lines are passed over.

    Raises InputError `file:line: …` for what is not UTF-8, not JSON, or not an object.
    """
    for _, value in read_lines(path):
        yield value


def write_jsonl(path: Path, values: Iterable[Any]) -> int:
    """Write one canonical JSON value a line, making the folder; returns how many. Equal values give equal bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    count = 0
    with path.open("wb") as file:
        for value in values:
            file.write(identity.canonical(value) + b"\n")
            count += 1
    return count


def read_rows(path: Path) -> Iterator[Row]:
    """Yield the rows of a file. Raises InputError `file:line: …` for a line that is no row, or an id seen before."""
    seen: dict[tuple[str, str], int] = {}
    for number, value in read_lines(path):
        try:
            row = Row.from_json(value)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(f"{path}:{number}: not a row: {error}") from error
        first = seen.setdefault((row.table, row.id), number)
        if first != number:
            raise InputError(f"{path}:{number}: the id {row.id!r} is on line {first} already")
        yield row


def write_rows(path: Path, rows: Iterable[Row]) -> int:
    """Write rows, one a line; returns how many. Raises InputError when two rows of a table share an id."""
    return write_jsonl(path, (row.to_json() for row in unique(rows)))


def unique(rows: Iterable[Row]) -> Iterator[Row]:
    """The same rows. Raises InputError, with where both come from, when two rows of a table share an id."""
    seen: dict[tuple[str, str], str] = {}
    for row in rows:
        key = (row.table, row.id)
        if key in seen:
            raise InputError(f"{place(row)}: the id {row.id!r} was given to another row already ({seen[key]})")
        seen[key] = place(row)
        yield row


def place(row: Row) -> str:
    """Where a row comes from, for a message: `source:line`, or the source alone."""
    origin = row.provenance
    name = origin.source or origin.generator or "a source"
    return f"{name}:{origin.line}" if origin.line else name


def read_json(path: Path) -> Any:
    """The value in a JSON file. Raises InputError that names the file and the line."""
    try:
        return json.loads(path.read_bytes(), parse_constant=no_constant)
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8: {error.reason} at byte {error.start}") from error
    except json.JSONDecodeError as error:
        raise InputError(f"{path}:{error.lineno}: not JSON: {error.msg}") from error
    except ValueError as error:
        raise InputError(f"{path}: not JSON: {error}") from error


def write_json(path: Path, value: Mapping[str, Any] | list[Any]) -> None:
    """Write a JSON file that also reads well: sorted keys, one space of indent, a newline at the end."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False)
    path.write_bytes(text.encode() + b"\n")
