"""Any file of JSON objects, one a line: which of their fields become the columns of a row."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, model_validator

from factory.api import Input, Job, Provenance, Row, Source, read_lines

Record = Mapping[str, Any]


class Jsonl(Source):
    """A row for each line. A column holds whatever its field does: text, a number, a list of turns."""

    kind = "jsonl"

    file: Annotated[Path, Input()] = Field(description="the rows, JSONL, relative to the spec")
    columns: list[str] = Field([], description="fields that become columns of the same name")
    map: dict[str, str] = Field({}, description="fields that become columns of another name, as {column: field}")
    id: str = Field("", description="field that names a row; empty for the file's name and the line")
    group: str = Field("", description="field of what must stay on one side of a split, such as a family or a dialogue")
    split: str = Field("", description="field that says train, validation (or dev) or test; empty to draw the split")
    limit: int = Field(0, ge=0, description="rows that are kept, drawn by the spec's seed; 0 for all")
    licence: str = Field("", description="licence of the file, for the bundle's notes")

    @model_validator(mode="after")
    def _some_columns(self) -> Jsonl:
        if not self.columns and not self.map:
            raise ValueError("name the fields to read: `columns: [text, label]`, or `map: {text: their_name}`")
        if twice := sorted({*self.map} & {*self.columns}):
            raise ValueError(f"{twice[0]!r} is in columns and in map; keep one")
        return self

    @property
    def gives(self) -> tuple[str, ...]:  # type: ignore[override]  # known only when the fields are
        """The columns that its rows have."""
        return (*self.map, *self.columns)

    def rows(self, job: Job) -> Iterator[Row]:
        found = [self._row(number, record) for number, record in read_lines(job.root / self.file, str(self.file))]
        if self.limit and self.limit < len(found):
            chosen = sorted(random.Random(job.seed).sample(range(len(found)), self.limit))
            job.report.note(f"{self.file}: {self.limit} of {len(found)} rows drawn")
            found = [found[index] for index in chosen]
        yield from found

    def _row(self, number: int, record: Record) -> Row:
        where = f"{self.file}:{number}"
        fields = {**self.map, **{name: name for name in self.columns}}
        columns = {column: _value(record, field, where) for column, field in fields.items()}
        return Row(
            _text(record, self.id, where) or f"{self.file.stem}#{number}", columns,
            Provenance(str(self.file), number, self.licence),
            group=_text(record, self.group, where), split=_text(record, self.split, where),
        )


def _value(record: Record, field: str, where: str) -> Any:
    """What a field holds. Raises ValueError `file:line: field: …` when it is not there."""
    if field not in record:
        raise ValueError(f"{where}: {field}: no such field; there are {', '.join(sorted(record)) or 'none'}")
    if record[field] is None:
        raise ValueError(f"{where}: {field}: is null; give it a value, or take the line out")
    return record[field]


def _text(record: Record, field: str, where: str) -> str:
    """A field that names something, as text; nothing when no field is named."""
    if not field:
        return ""
    value = _value(record, field, where)
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError(f"{where}: {field}: a {type(value).__name__} where text is wanted")
    return str(value)
