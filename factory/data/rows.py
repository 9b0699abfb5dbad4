"""Reading and writing rows as canonical JSONL, and other values as indented, sorted JSON."""

from __future__ import annotations

import json
import os
import weakref
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, overload

from factory import identity
from factory.api.rows import Row
from factory.errors import InputError
from factory.text.jsonl import read_numbered_jsonl, refuse_json_constant

LAZY_THRESHOLD_BYTES = 32 * 2**20
"""Size of a file from which on its rows are not kept in memory."""


def read_jsonl(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the object on each line of a file, skipping empty lines.

    Raises InputError `file:line: …` for a line that is not UTF-8, not JSON, or not an object.
    """
    for _, value in read_numbered_jsonl(path):
        yield value


def write_jsonl(path: Path, values: Iterable[Any]) -> int:
    """Write one canonical JSON value per line, creating the folder, and return the count. Equal values, equal bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    count = 0
    with path.open("wb") as file:
        for value in values:
            file.write(identity.encode_canonical(value) + b"\n")
            count += 1
    return count


def read_rows(path: Path) -> Iterator[Row]:
    """Yield the rows of a file. Raises InputError `file:line: …` for a line that is not a row or a duplicate id."""
    seen: dict[tuple[str, str], int] = {}
    for number, value in read_numbered_jsonl(path):
        try:
            row = Row.from_json(value)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(f"{path}:{number}: not a row: {error}") from error
        first = seen.setdefault((row.table, row.id), number)
        if first != number:
            raise InputError(f"{path}:{number}: duplicate id {row.id!r}, first used on line {first}")
        yield row


def read_side_tables(folder: Path) -> dict[str, dict[str, Row]]:
    """Read the side tables in the output of `gather`: table name → row id → row."""
    return {file.stem: {row.id: row for row in read_rows(file)} for file in sorted((folder / "tables").glob("*.jsonl"))}


class LazyRows(Sequence[Row]):
    """The rows of a file that this module wrote, as a sequence that keeps only their offsets (8 bytes each) in memory.

    Every access reads and parses a line, so prefer iterating in order. A slice is a list.
    """

    def __init__(self, path: Path) -> None:
        """Index the file. Raises FileNotFoundError if it does not exist."""
        self.path = path
        self._starts = array("Q", [0])
        with path.open("rb") as file:
            for line in file:
                self._starts.append(self._starts[-1] + len(line))
        self._file = os.open(path, os.O_RDONLY)
        weakref.finalize(self, os.close, self._file)

    def __len__(self) -> int:
        return len(self._starts) - 1

    def __iter__(self) -> Iterator[Row]:
        with self.path.open("rb") as file:
            for number, line in enumerate(file, 1):
                yield self._parse_row_line(line, number)

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> list[Row]: ...
    def __getitem__(self, index: int | slice) -> Row | list[Row]:
        if isinstance(index, slice):
            return [self[position] for position in range(*index.indices(len(self)))]
        position = range(len(self))[index]
        return self._parse_row_line(self.read_line_bytes(position), position + 1)

    def read_line_bytes(self, position: int) -> bytes:
        """Return the line of a row with its newline; `position` counts from 0."""
        start = self._starts[position]
        return os.pread(self._file, self._starts[position + 1] - start, start)

    def _parse_row_line(self, line: bytes, number: int) -> Row:
        try:
            return Row.from_json(json.loads(line.decode()))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(f"{self.path}:{number}: not a row: {error}") from error


def open_rows(path: Path) -> Sequence[Row]:
    """Return the rows of a file: as a list if it is small, else as LazyRows."""
    return LazyRows(path) if path.stat().st_size > LAZY_THRESHOLD_BYTES else list(read_rows(path))


class RowWriter:
    """Writes rows to a file one by one. Keeps an 8-byte hash of each id in memory to detect duplicates."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path, self.count = path, 0
        self._file, self._seen = path.open("wb"), set[int]()

    def __enter__(self) -> RowWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def write(self, row: Row) -> None:
        """Write one row. Raises InputError, with the origin of both rows, if its table already has a row of this id."""
        id_hash = hash((row.table, row.id))
        if id_hash in self._seen:
            self._file.flush()
            _refuse_duplicate_id(self.path, row)
        self._seen.add(id_hash)
        self._file.write(identity.encode_canonical(row.to_json()) + b"\n")
        self.count += 1


def _refuse_duplicate_id(path: Path, row: Row) -> None:
    """Raise InputError if a row of the file really has this id: equal hashes may be a collision."""
    for other in LazyRows(path):
        if (other.table, other.id) == (row.table, row.id):
            first = format_row_origin(other)
            remedy = "give every row an id of its own (or leave out `id`), and name each file once"
            raise InputError(f"{format_row_origin(row)}: duplicate id {row.id!r}, first used at {first}; {remedy}")


def write_rows(path: Path, rows: Iterable[Row]) -> int:
    """Write one row per line and return the count. Raises InputError if two rows of a table have the same id."""
    with RowWriter(path) as writer:
        for row in rows:
            writer.write(row)
    return writer.count


def format_row_origin(row: Row) -> str:
    """Format the origin of a row for a message: `source:line`, or the source only."""
    origin = row.provenance
    name = origin.source or origin.generator or "a source"
    return f"{name}:{origin.line}" if origin.line else name


def read_json(path: Path) -> Any:
    """Read a JSON file. Raises InputError with the file and line if it is invalid."""
    try:
        return json.loads(path.read_bytes(), parse_constant=refuse_json_constant)
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8: {error.reason} at byte {error.start}") from error
    except json.JSONDecodeError as error:
        raise InputError(f"{path}:{error.lineno}: not JSON: {error.msg}") from error
    except ValueError as error:
        raise InputError(f"{path}: not JSON: {error}") from error


def write_json(path: Path, value: Mapping[str, Any] | list[Any]) -> None:
    """Write a JSON file with sorted keys, an indent of one space and a final newline."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False)
    path.write_bytes(text.encode() + b"\n")
