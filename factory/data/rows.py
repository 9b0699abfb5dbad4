"""Files of JSON: one canonical object a line for rows, indented and sorted for what a person reads too."""

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
"""Bytes of a file from which on its rows are no longer held in memory."""


def read_jsonl(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the objects of a file, one a line; empty lines are passed over.

    Raises InputError `file:line: …` for what is not UTF-8, not JSON, or not an object.
    """
    for _, value in read_numbered_jsonl(path):
        yield value


def write_jsonl(path: Path, values: Iterable[Any]) -> int:
    """Write one canonical JSON value a line, making the folder; returns how many. Equal values give equal bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    count = 0
    with path.open("wb") as file:
        for value in values:
            file.write(identity.encode_canonical(value) + b"\n")
            count += 1
    return count


def read_rows(path: Path) -> Iterator[Row]:
    """Yield the rows of a file. Raises InputError `file:line: …` for a line that is no row, or an id seen before."""
    seen: dict[tuple[str, str], int] = {}
    for number, value in read_numbered_jsonl(path):
        try:
            row = Row.from_json(value)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(f"{path}:{number}: not a row: {error}") from error
        first = seen.setdefault((row.table, row.id), number)
        if first != number:
            raise InputError(f"{path}:{number}: the id {row.id!r} is on line {first} already")
        yield row


class LazyRows(Sequence[Row]):
    """The rows of a file that factory wrote, as a sequence that holds none of them: eight bytes a row say where it is.

    Every look reads and parses a line anew, so walk it in order where you can. A slice is a list.
    """

    def __init__(self, path: Path) -> None:
        """Reads the file once. Raises FileNotFoundError when it is not there."""
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
            return [self[place] for place in range(*index.indices(len(self)))]
        place = range(len(self))[index]
        return self._parse_row_line(self.read_line_bytes(place), place + 1)

    def read_line_bytes(self, place: int) -> bytes:
        """The bytes of a row, its newline included; `place` counts from 0."""
        start = self._starts[place]
        return os.pread(self._file, self._starts[place + 1] - start, start)

    def _parse_row_line(self, line: bytes, number: int) -> Row:
        try:
            return Row.from_json(json.loads(line.decode()))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(f"{self.path}:{number}: not a row: {error}") from error


def open_rows(path: Path) -> Sequence[Row]:
    """The rows of a file: in memory while that is small, else read as they are looked at."""
    return LazyRows(path) if path.stat().st_size > LAZY_THRESHOLD_BYTES else list(read_rows(path))


class RowWriter:
    """Rows going to a file as they come, one a line. Holds eight bytes of each id, to refuse one that comes twice."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path, self.count = path, 0
        self._file, self._seen = path.open("wb"), set[int]()

    def __enter__(self) -> RowWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def write(self, row: Row) -> None:
        """Write one row. Raises InputError, with where both come from, when a row of its table has its id."""
        mark = hash((row.table, row.id))
        if mark in self._seen:
            self._file.flush()
            _refuse_duplicate_id(self.path, row)
        self._seen.add(mark)
        self._file.write(identity.encode_canonical(row.to_json()) + b"\n")
        self.count += 1


def _refuse_duplicate_id(path: Path, row: Row) -> None:
    """Raise if a row of the file has this id. That only hashes agree is possible, and no fault."""
    for other in LazyRows(path):
        if (other.table, other.id) == (row.table, row.id):
            raise InputError(f"{format_row_origin(row)}: the id {row.id!r} was given to another row already ({format_row_origin(other)})")


def write_rows(path: Path, rows: Iterable[Row]) -> int:
    """Write rows, one a line; returns how many. Raises InputError when two rows of a table share an id."""
    with RowWriter(path) as writer:
        for row in rows:
            writer.write(row)
    return writer.count


def format_row_origin(row: Row) -> str:
    """Where a row comes from, for a message: `source:line`, or the source alone."""
    origin = row.provenance
    name = origin.source or origin.generator or "a source"
    return f"{name}:{origin.line}" if origin.line else name


def read_json(path: Path) -> Any:
    """The value in a JSON file. Raises InputError that names the file and the line."""
    try:
        return json.loads(path.read_bytes(), parse_constant=refuse_json_constant)
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
