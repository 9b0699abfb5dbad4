"""Which source reads a user's data for a task, and with which fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from factory.api import Input, Plugin, Source, Task
from factory.api.spec_block import has_marker
from factory.errors import InputError
from factory.registry.registry import Registry
from factory.spec.infer_columns import (
    RecordFileSummary,
    find_unusable_split,
    infer_column_field,
    infer_id_field,
    infer_split_field,
    summarise_record_file,
)
from factory.spec.record_files import choose_record_file
from factory.text.suggestions import suggest_near_name


@dataclass(frozen=True, slots=True)
class SourceDraft:
    """A source block to be written to `file`. With a `summary`, `fields` are the fields of the data by column, else
    those of the block."""

    kind: str
    data: Path
    file: Path
    fields: Mapping[str, Any]
    summary: RecordFileSummary | None = None
    split: str = ""
    id: str = ""
    unusable_split: tuple[str, str] = field(default=("", ""))
    null_count: int = 0
    """Records without one of the fields, at most."""
    is_multi_label: bool = False


def draft_source(
    task: type[Task], data: Path, file: Path, registry: Registry, columns: Mapping[str, str]
) -> SourceDraft:
    """Return the block of a source that reads this data for a task. Raises InputError if none does."""
    if not data.exists():
        raise InputError(f"{data}: no such file or folder")
    for source in list_task_sources(task, registry):
        try:
            fields = source.draft_fields(data)
        except ValueError as error:
            raise InputError(f"{data}: {error}") from None
        if fields:
            return SourceDraft(source.kind, data, file, fields)
    if task.tables:
        raise InputError(f"{data}: {_describe_needs(task, registry)}")
    return _draft_record_source(task, data, file, columns)


def list_task_sources(task: type[Task], registry: Registry) -> list[type[Source]]:
    """Return the sources that provide the task's columns and tables by themselves, those with fewest others first."""
    sources = [
        source for source in cast("list[type[Source]]", registry.list_classes("source"))
        # Columns that depend on fields are properties of the instance, not tuples of the class.
        if isinstance(source.output_columns, tuple) and isinstance(source.tables, tuple)
        and {*task.columns} <= {*source.output_columns} and {*task.tables} <= {*source.tables}
    ]
    return sorted(sources, key=lambda source: (len(source.output_columns), source.kind))


def list_path_fields(source: type[Plugin]) -> list[str]:
    """List the required fields of a source that name input files."""
    fields = source.model_fields.items()
    return [name for name, field in fields if field.is_required() and has_marker(source, name, Input)]


def _describe_needs(task: type[Task], registry: Registry) -> str:
    """Return which files the sources of a task read."""
    needs = []
    for source in list_task_sources(task, registry):
        names = list_path_fields(source)
        if names:
            fields = ", ".join(f"{name} ({source.model_fields[name].description})" for name in names)
            needs.append(f"{source.kind} reads {fields}")
    if not needs:
        return f"the task {task.kind!r} needs the table {task.tables[0]!r}; no installed source provides it"
    return f"no source of the task {task.kind!r} reads this; {'; '.join(needs)}"


def _draft_record_source(
    task: type[Task], data: Path, file: Path, columns: Mapping[str, str]
) -> SourceDraft:
    """Return a block whose columns are fields of records. Raises InputError if one fits no field."""
    data = choose_record_file(data)
    summary = summarise_record_file(data)
    known = {each.name: each for each in summary.fields}
    for column, name in columns.items():
        if column not in task.columns:
            raise InputError(f"--map {column}={name}: the task {task.kind!r} has the columns {', '.join(task.columns)}")
        if name not in known:
            near = suggest_near_name(name, known)
            raise InputError(f"--map {column}={name}: no such field; there are {', '.join(known)}{near}")
    split, id_field = infer_split_field(summary), infer_id_field(summary)
    taken = [name for name in (split, id_field) if name and name not in columns.values()]
    fields = dict(columns)
    for column in task.columns:
        if column not in fields:
            fields[column] = infer_column_field(summary, column, [*taken, *fields.values()])
    _require_fields(task, data, summary, fields)
    nulls = sum(known[name].null_count for name in {*fields.values(), *taken})
    label = known.get(fields.get("label", ""))
    return SourceDraft(
        summary.kind, data, file, {column: fields[column] for column in task.columns}, summary,
        split if split in taken else "", id_field if id_field in taken else "", find_unusable_split(summary), nulls,
        label is not None and label.value_type == "list",
    )


def _require_fields(task: type[Task], data: Path, summary: RecordFileSummary, fields: Mapping[str, str]) -> None:
    """Raise InputError if a column fits no field."""
    has = ", ".join(each.name for each in summary.fields)
    if not any(each.value_type == "text" for each in summary.fields):
        raise InputError(f"no field of {data.name} holds text; there are {has}")
    if missing := [column for column in task.columns if not fields[column]]:
        needs = f"the task {task.kind!r} needs {', '.join(task.columns)}"
        remedy = f"name the field for it by --map {missing[0]}=FIELD, or add one"
        raise InputError(f"no field of {data.name} looks like {', '.join(missing)}; there are {has}; {needs}; {remedy}")
