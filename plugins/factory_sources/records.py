"""Base class of sources that read records: mapping of fields to columns, ids, groups, splits, and sampling."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import Field, model_validator

from factory.api import Input, Job, NoOpReporter, Provenance, Row, Source
from factory.text.suggestions import suggest_near_name


@dataclass(frozen=True, slots=True)
class SourceRecord:
    """A record as it was read: its fields, source and line; `id` and `group` apply when no field provides them."""

    source: str
    line: int
    values: Mapping[str, Any]
    id: str
    group: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)


class RecordSource(Source):
    """A source that reads records. Subclasses implement `read_records`; `default_columns` apply when none are named."""

    default_columns: ClassVar[tuple[str, ...]] = ()
    known_fields: ClassVar[tuple[str, ...]] = ()
    """All fields that a record can have, if the source knows them."""
    has_typed_values: ClassVar[bool] = False
    """Whether the values of fields come from a typed table and must be converted to JSON values."""

    columns: list[str] = Field([], description="fields that become columns of the same name")
    map: dict[str, str] = Field({}, description="fields that become columns of another name, as {column: field}")
    id: str = Field("", description="field with the row id; empty for file name and line")
    group: str = Field("", description="field with the group, such as a dialogue; its rows stay in one split")
    split: str = Field("", description="field with train, validation (or dev) or test; empty for a random split")
    limit: int = Field(0, ge=0, description="rows to sample, by the spec's seed; 0 for all")
    licence: str = Field("", description="licence of the data, recorded in the bundle")

    @model_validator(mode="after")
    def _validate_columns(self) -> RecordSource:
        if not self.column_fields:
            raise ValueError("no fields to read; set `columns: [text, label]` or `map: {text: field_name}`")
        if twice := sorted({*self.map} & {*self.columns}):
            raise ValueError(f"{twice[0]!r} is in both `columns` and `map`; remove one")
        if self.known_fields and (unknown := sorted({*self.list_source_fields()} - {*self.known_fields})):
            raise ValueError(f"unknown field {unknown[0]!r}; records have {', '.join(self.known_fields)}")
        return self

    @property
    def column_fields(self) -> dict[str, str]:
        """Mapping of column to field."""
        columns = self.columns if self.columns or self.map else self.default_columns
        return {**self.map, **{name: name for name in columns}}

    @property
    def output_columns(self) -> tuple[str, ...]:  # type: ignore[override]  # known only when the fields are
        return tuple(self.column_fields)

    def list_source_fields(self) -> list[str]:
        """Return every field that is read, without repeats."""
        named = (self.id, self.group, self.split)
        return list(dict.fromkeys([*self.column_fields.values(), *(name for name in named if name)]))

    def read_records(self, job: Job) -> Iterator[SourceRecord]:
        """Yield the records in order; report those that cannot be read with `job.report_bad_record`."""
        raise NotImplementedError

    def iter_rows(self, job: Job) -> Iterator[Row]:
        if not self.limit:
            yield from self._iterate_source_rows(job)
            return
        # Two passes keep memory small: count the rows and report bad ones, then yield the rows that were sampled.
        count = sum(1 for _ in self._iterate_source_rows(job))
        second_pass = replace(job, bad_record_handler=lambda text: None, report=NoOpReporter())
        if count <= self.limit:
            yield from self._iterate_source_rows(second_pass)
            return
        job.report.note(f"{self.describe_source()}: sampled {self.limit} of {count} rows")
        chosen = set(random.Random(job.seed).sample(range(count), self.limit))
        yield from (row for number, row in enumerate(self._iterate_source_rows(second_pass)) if number in chosen)

    def describe_source(self) -> str:
        """Return the name of the data in messages."""
        return self.kind

    def _iterate_source_rows(self, job: Job) -> Iterator[Row]:
        fields, table = self.column_fields, next(iter(self.tables), "")
        for record in self.read_records(job):
            try:
                columns = {column: self._read_field_value(record, name) for column, name in fields.items()}
                names = (self.id, self.group, self.split)
                row_id, group, split = (self._read_text_field(record, name) for name in names)
            except ValueError as error:
                job.report_bad_record(str(error))
            else:
                origin = Provenance(record.source, record.line, self.licence, detail=record.detail)
                yield Row(row_id or record.id, columns, origin, group or record.group, split, table)

    def _read_field_value(self, record: SourceRecord, name: str) -> Any:
        """Return the value of a field. Raises ValueError `file:line: field: …` if it is missing, null or invalid."""
        values, where = record.values, f"{record.source}:{record.line}: {name}"
        if name not in values:
            has = f"the record has {', '.join(sorted(values)) or 'no fields'}"
            raise ValueError(f"{where}: no such field; {has}{suggest_near_name(name, values)}")
        try:
            value = convert_to_json_value(values[name]) if self.has_typed_values else values[name]
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from None
        if value is None:
            raise ValueError(f"{where}: is null; set a value, or remove the record")
        return value

    def _read_text_field(self, record: SourceRecord, name: str) -> str:
        """Return an id, group or split as text; an empty text if no field is set for it."""
        if not name:
            return ""
        value = self._read_field_value(record, name)
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise ValueError(f"{record.source}:{record.line}: {name}: {describe_name_type(value)}")
        return str(value)


class FileSource(RecordSource):
    """A source that reads one file, or the files of one folder."""

    file: Annotated[Path, Input()]

    def describe_source(self) -> str:
        return str(self.file)


def describe_name_type(value: Any) -> str:
    """Return why a value is no id, group or split, and what to do."""
    if isinstance(value, float):
        # pandas makes floats of whole numbers as soon as one is missing.
        remedy = "make it whole numbers, in pandas by `.astype('Int64')`, or put it in quotes"
        return f"expected text or a whole number, got {value!r} (a float); {remedy}"
    return f"expected text or a whole number, got {type(value).__name__}; convert it to text"


def require_columns(fields: Iterable[str], columns: Iterable[str], where: str) -> None:
    """Raise ValueError with the first field that a table has no column for."""
    names = list(columns)
    if missing := [name for name in fields if name not in names]:
        has = f"the table has {', '.join(names) or 'no columns'}"
        raise ValueError(f"{where}: {missing[0]}: no such column; {has}{suggest_near_name(missing[0], names)}")


def read_first_error_line(error: Exception) -> str:
    """Return the first line of an error of a library, without a full stop."""
    return next(iter(str(error).splitlines()), type(error).__name__).rstrip(".")


def convert_to_json_value(value: Any) -> Any:
    """Return a value of a typed table as a JSON value, times as ISO 8601. Raises ValueError for other types."""
    match value:
        case str():
            try:
                value.isascii() or value.encode()  # lone surrogates stand for bytes that were not UTF-8
            except UnicodeEncodeError:
                raise ValueError("is not UTF-8; re-encode it") from None
            return value
        case None | bool() | int():
            return value
        case float():
            if not math.isfinite(value):
                raise ValueError(f"{value} is not valid JSON; use a finite number, or remove the record")
            return value
        case datetime() | date() | time():
            return value.isoformat()
        case list() | tuple():
            return [convert_to_json_value(item) for item in value]
        case dict():
            return {str(name): convert_to_json_value(item) for name, item in value.items()}
    raise ValueError(f"{type(value).__name__} values are not supported; store text or a number")
