"""Base class of sources that read records: mapping of fields to columns, ids, groups, splits, and sampling."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time
from typing import Any, ClassVar

from pydantic import Field, model_validator

from factory.api import Job, NoOpReporter, Provenance, Row, Source


@dataclass(frozen=True, slots=True)
class SourceRecord:
    """A record as it was read: its fields, source and line; `id` and `group` apply when no field provides them."""

    source: str
    line: int
    values: Mapping[str, Any]
    id: str
    group: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)

    @property
    def location(self) -> str:
        """Location in messages, as `file:line`."""
        return f"{self.source}:{self.line}"


class RecordSource(Source):
    """A source that reads records. Subclasses implement `read_records`; `default_columns` apply when none are named."""

    default_columns: ClassVar[tuple[str, ...]] = ()
    known_fields: ClassVar[tuple[str, ...]] = ()
    """All fields that a record can have, if the source knows them."""

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
        """Columns of its rows."""
        return tuple(self.column_fields)

    def list_source_fields(self) -> list[str]:
        """Return every field that is read, without repeats."""
        named = (self.id, self.group, self.split)
        return list(dict.fromkeys([*self.column_fields.values(), *(name for name in named if name)]))

    def read_records(self, job: Job) -> Iterator[SourceRecord]:
        """Yield the records in order; report those that cannot be read with `job.report_bad_record`."""
        raise NotImplementedError

    def get_side_table(self) -> str:
        """Return the side table that the rows belong to, or an empty text."""
        return ""

    def convert_field_value(self, value: Any) -> Any:
        """Return a field's value as a JSON value. Raises ValueError if it cannot be one."""
        return value

    def iter_rows(self, job: Job) -> Iterator[Row]:
        if not self.limit:
            yield from self._iterate_source_rows(job)
            return
        # Two passes keep memory small: count the rows, then yield those whose numbers were sampled.
        count = sum(1 for _ in self._iterate_source_rows(job))
        second_pass = replace(job, bad_record_handler=_ignore_bad_record, report=NoOpReporter())
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
        fields, table = self.column_fields, self.get_side_table()
        for record in self.read_records(job):
            try:
                row = self._build_source_row(record, fields, table)
            except ValueError as error:
                job.report_bad_record(str(error))
            else:
                yield row

    def _build_source_row(self, record: SourceRecord, fields: Mapping[str, str], table: str) -> Row:
        columns = {column: self._read_field_value(record, name) for column, name in fields.items()}
        return Row(
            self._read_text_field(record, self.id) or record.id, columns,
            Provenance(record.source, record.line, self.licence, detail=record.detail),
            group=self._read_text_field(record, self.group) or record.group,
            split=self._read_text_field(record, self.split), table=table,
        )

    def _read_field_value(self, record: SourceRecord, name: str) -> Any:
        """Return the value of a field. Raises ValueError `file:line: field: …` if it is missing, null or invalid."""
        values = record.values
        if name not in values:
            has = ", ".join(sorted(values)) or "none"
            raise ValueError(f"{record.location}: {name}: no such field; the record has {has}")
        try:
            value = self.convert_field_value(values[name])
        except ValueError as error:
            raise ValueError(f"{record.location}: {name}: {error}") from None
        if value is None:
            raise ValueError(f"{record.location}: {name}: is null; set a value, or remove the row")
        return value

    def _read_text_field(self, record: SourceRecord, name: str) -> str:
        """Return an id, group or split as text; an empty text if no field is set for it."""
        if not name:
            return ""
        value = self._read_field_value(record, name)
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise ValueError(f"{record.location}: {name}: expected text, got {type(value).__name__}")
        return str(value)


def _ignore_bad_record(text: str) -> None:
    """Ignore an invalid record: the counting pass has reported it."""


def require_columns(fields: Iterable[str], have: Iterable[str], where: str) -> None:
    """Raise ValueError with the first field that a table has no column for."""
    names = list(have)
    if missing := [name for name in fields if name not in names]:
        raise ValueError(f"{where}: {missing[0]}: no such column; the table has {', '.join(names) or 'no columns'}")


def convert_to_json_value(value: Any) -> Any:
    """Return a value of a typed table as a JSON value, times as ISO 8601. Raises ValueError for other types."""
    match value:
        case str():
            return _require_utf8(value)
        case None | bool() | int():
            return value
        case float():
            if not math.isfinite(value):
                raise ValueError(f"{value} is not valid JSON; use a finite number, or remove the row")
            return value
        case datetime() | date() | time():
            return value.isoformat()
        case list() | tuple():
            return [convert_to_json_value(item) for item in value]
        case dict():
            return {str(name): convert_to_json_value(item) for name, item in value.items()}
    raise ValueError(f"{type(value).__name__} values are not supported; store text or a number")


def _require_utf8(text: str) -> str:
    try:
        text.isascii() or text.encode()  # lone surrogates stand for bytes that were not UTF-8
    except UnicodeEncodeError:
        raise ValueError("is not UTF-8; re-encode it") from None
    return text
