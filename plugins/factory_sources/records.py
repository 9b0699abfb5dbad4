"""What all sources of records share: which fields become columns, what names and groups a row, and a seeded sample."""

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
    """One record as it was read: where from, and its fields. `id` and `group` are what it is called by when no field
    says so.
    """

    source: str
    line: int
    values: Mapping[str, Any]
    id: str
    group: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)

    @property
    def location(self) -> str:
        """As messages say it: `file:line`."""
        return f"{self.source}:{self.line}"


class RecordSource(Source):
    """A source that reads one record after another. A subclass writes `records`; `usual` are its columns by default."""

    default_columns: ClassVar[tuple[str, ...]] = ()
    known_fields: ClassVar[tuple[str, ...]] = ()
    """All fields that a record can have, where the source knows that."""

    columns: list[str] = Field([], description="fields that become columns of the same name")
    map: dict[str, str] = Field({}, description="fields that become columns of another name, as {column: field}")
    id: str = Field("", description="field that names a row; empty for the file's name and the line")
    group: str = Field("", description="field of what must stay on one side of a split, such as a family or a dialogue")
    split: str = Field("", description="field that says train, validation (or dev) or test; empty to draw the split")
    limit: int = Field(0, ge=0, description="rows that are kept, drawn by the spec's seed; 0 for all")
    licence: str = Field("", description="licence of the data, for the bundle's notes")

    @model_validator(mode="after")
    def _validate_columns(self) -> RecordSource:
        if not self.column_fields:
            raise ValueError("name the fields to read: `columns: [text, label]`, or `map: {text: their_name}`")
        if twice := sorted({*self.map} & {*self.columns}):
            raise ValueError(f"{twice[0]!r} is in columns and in map; keep one")
        if self.known_fields and (unknown := sorted({*self.list_source_fields()} - {*self.known_fields})):
            raise ValueError(f"no record has a field {unknown[0]!r}; there are {', '.join(self.known_fields)}")
        return self

    @property
    def column_fields(self) -> dict[str, str]:
        """Column → field."""
        columns = self.columns if self.columns or self.map else self.default_columns
        return {**self.map, **{name: name for name in columns}}

    @property
    def output_columns(self) -> tuple[str, ...]:  # type: ignore[override]  # known only when the fields are
        """The columns that its rows have."""
        return tuple(self.column_fields)

    def list_source_fields(self) -> list[str]:
        """Every field that is read, once."""
        named = (self.id, self.group, self.split)
        return list(dict.fromkeys([*self.column_fields.values(), *(name for name in named if name)]))

    def read_records(self, job: Job) -> Iterator[SourceRecord]:
        """Yield the records in their order, telling `job.bad` of those that can not be read."""
        raise NotImplementedError

    def get_side_table(self) -> str:
        """The side table that the rows go to, or nothing."""
        return ""

    def convert_field_value(self, value: Any) -> Any:
        """A value as JSON has it. Raises ValueError with what it is instead."""
        return value

    def iter_rows(self, job: Job) -> Iterator[Row]:
        if not self.limit:
            yield from self._iterate_source_rows(job)
            return
        count = sum(1 for _ in self._iterate_source_rows(job))
        again = replace(job, bad_record_handler=_ignore_bad_record, report=NoOpReporter())
        if count <= self.limit:
            yield from self._iterate_source_rows(again)
            return
        job.report.note(f"{self.describe_source()}: {self.limit} of {count} rows drawn")
        chosen = set(random.Random(job.seed).sample(range(count), self.limit))
        yield from (row for number, row in enumerate(self._iterate_source_rows(again)) if number in chosen)

    def describe_source(self) -> str:
        """How messages call what is read."""
        return self.kind

    def _iterate_source_rows(self, job: Job) -> Iterator[Row]:
        wanted, table = self.column_fields, self.get_side_table()
        for record in self.read_records(job):
            try:
                row = self._build_source_row(record, wanted, table)
            except ValueError as error:
                job.report_bad_record(str(error))
            else:
                yield row

    def _build_source_row(self, record: SourceRecord, wanted: Mapping[str, str], table: str) -> Row:
        columns = {column: self._read_field_value(record, name) for column, name in wanted.items()}
        return Row(
            self._read_text_field(record, self.id) or record.id, columns,
            Provenance(record.source, record.line, self.licence, detail=record.detail),
            group=self._read_text_field(record, self.group) or record.group,
            split=self._read_text_field(record, self.split), table=table,
        )

    def _read_field_value(self, record: SourceRecord, name: str) -> Any:
        """What a field holds. Raises ValueError `file:line: field: …` when there is nothing, or nothing that fits."""
        values = record.values
        if name not in values:
            has = ", ".join(sorted(values)) or "none"
            raise ValueError(f"{record.location}: {name}: no such field; there are {has}")
        try:
            value = self.convert_field_value(values[name])
        except ValueError as error:
            raise ValueError(f"{record.location}: {name}: {error}") from None
        if value is None:
            raise ValueError(f"{record.location}: {name}: is null; give it a value, or take the line out")
        return value

    def _read_text_field(self, record: SourceRecord, name: str) -> str:
        """A field that names something, as text; nothing when no field is named."""
        if not name:
            return ""
        value = self._read_field_value(record, name)
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise ValueError(f"{record.location}: {name}: a {type(value).__name__} where text is wanted")
        return str(value)


def _ignore_bad_record(text: str) -> None:
    """Pass over a wrong record that was told of when the records were counted."""


def require_columns(fields: Iterable[str], have: Iterable[str], where: str) -> None:
    """Raise ValueError that names the first of the fields that a table has no column for."""
    names = list(have)
    if missing := [name for name in fields if name not in names]:
        raise ValueError(f"{where}: {missing[0]}: no such column; there are {', '.join(names) or 'none'}")


def convert_to_json_value(value: Any) -> Any:
    """A value of a typed table as JSON has it: times as ISO 8601. Raises ValueError for what has no such form."""
    match value:
        case str():
            return _require_utf8(value)
        case None | bool() | int():
            return value
        case float():
            if not math.isfinite(value):
                raise ValueError(f"{value} has no JSON form; give it a number, or leave the row out")
            return value
        case datetime() | date() | time():
            return value.isoformat()
        case list() | tuple():
            return [convert_to_json_value(item) for item in value]
        case dict():
            return {str(name): convert_to_json_value(item) for name, item in value.items()}
    raise ValueError(f"a {type(value).__name__} has no JSON form; store it as text or as a number")


def _require_utf8(text: str) -> str:
    try:
        text.isascii() or text.encode()
    except UnicodeEncodeError:
        raise ValueError("is not UTF-8; store it as such") from None
    return text
