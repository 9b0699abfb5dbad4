"""A row that a synthesizer made: an id from its content, its parents' group, and what made it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from factory import identity
from factory.api.rows import Provenance, Row
from factory.text.near_duplicates import normalise

ROW_ID_DIGITS = 12
"""Hexadecimal digits of a made row's id: at a million rows, one in 560 sets has two alike."""


def make_synthetic_row(
    kind: str, columns: Mapping[str, Any], parents: Sequence[Row] = (), group: str | None = None, **detail: Any
) -> Row:
    """A new row of the generator `kind`. Equal content from equal parents is the same row.

    It takes its source, its licence and (unless `group` says otherwise) its group from the first parent; `detail` is
    what made it, as JSON: model, prompt, seed, score, doubt. An entry of a side table is a parent as `table/id`, so
    that it is never taken for a row of that id.
    """
    names = tuple(f"{parent.table}/{parent.id}" if parent.table else parent.id for parent in parents)
    name = f"{kind}-{identity.compute_key([kind, columns, names])[:ROW_ID_DIGITS]}"
    first = parents[0].provenance if parents else Provenance(kind)
    origin = Provenance(first.source, first.line, first.licence, kind, names, detail)
    own = parents[0].group if parents else ""
    return Row(name, columns, origin, own if group is None else group)


def get_row_group(row: Row, text: str = "") -> str:
    """The group of a row: its own, else its normalised text, else its id."""
    value = row.columns.get(text) if text else None
    return row.group or (normalise(value) if isinstance(value, str) else "") or row.id
