"""Columns whose values must be text: what JSON can write as text becomes text, and anything else is refused."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from factory.api.label_sets import LABEL_SETS
from factory.api.roles import Task
from factory.api.rows import Row
from factory.data.rows import format_row_origin
from factory.text.templates import list_slots, write_as_text


def list_text_columns(task: Task) -> list[str]:
    """Return the columns of sources whose values must be text: the text column and those that templates render.

    The label of a classifier is left to its task, as it may be a list. A task without templates renders none.
    """
    try:
        templates = dict(task.get_templates())
    except NotImplementedError:
        templates = {}
    if task.output_type in ("labels", LABEL_SETS):
        templates.pop("target", None)
    rendered = {name for template in templates.values() for name in list_slots(template)}
    return sorted({task.text_column, *rendered} - {"", *task.added_columns})


def convert_text_columns(row: Row, columns: Iterable[str]) -> Row:
    """Return the row with text in these columns: a number or boolean as JSON writes it, 1.0 as 1.

    Raises ValueError `file:line: column: …` for a list or an object, whose text would be program code to a model.
    """
    changed = {name: row[name] for name in columns if not isinstance(row.columns.get(name, ""), str)}
    for name, value in changed.items():
        if value is None or isinstance(value, list | tuple | Mapping):
            remedy = "set a text, or remove the record"
            remedy = remedy if value is None else "join it to one text, or map another field"
            raise ValueError(f"{format_row_origin(row)}: {name}: {_name_type(value)} where text is wanted; {remedy}")
    return row.with_columns(**{name: write_as_text(value) for name, value in changed.items()}) if changed else row


def _name_type(value: Any) -> str:
    if value is None:
        return "null"
    return "an object" if isinstance(value, Mapping) else "a list"
