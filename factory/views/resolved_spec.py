"""The resolved spec: every field with its value and where it comes from."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from factory.views.elements import Column, Table, TableRow, Text, make_text_row


def build_spec_fields_table(resolved: Sequence[Mapping[str, Any]]) -> Table:
    """Return a row per field: its path, its value as JSON, and its origin, with the line in a file."""
    return Table((Column("field"), Column("value"), Column("from")), tuple(map(_make_field_row, resolved)))


def _make_field_row(field: Mapping[str, Any]) -> TableRow:
    path, origin = Text(str(field.get("path", "")), "code"), str(field.get("origin", ""))
    line = f", line {field['line']}" if field.get("line") else ""
    value = Text(json.dumps(field.get("value"), ensure_ascii=False), "code")
    return make_text_row(path, value, Text(f"{origin}{line}", "dim" if origin == "default" else ""))
