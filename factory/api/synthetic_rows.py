"""Synthetic rows: an id derived from the content, the parents' group, and provenance of the generator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from factory import identity
from factory.api.rows import Provenance, Row
from factory.text.normalise import normalise_words

ROW_ID_DIGITS = 12
"""Hexadecimal digits of a synthetic row's id: among a million rows a collision has a chance of 1 in 560."""


def make_synthetic_row(
    kind: str, columns: Mapping[str, Any], parents: Sequence[Row] = (), group: str | None = None, **detail: Any
) -> Row:
    """Create a row of the generator `kind`. Equal content from equal parents gives the same id.

    Source, licence and (unless `group` is given) group come from the first parent. `detail` is JSON about the
    generation: model, prompt, seed, score, doubt. A parent in a side table is recorded as `table/id`, so that it can
    not be mistaken for a row of that id.
    """
    names = tuple(f"{parent.table}/{parent.id}" if parent.table else parent.id for parent in parents)
    name = f"{kind}-{identity.compute_key([kind, columns, names])[:ROW_ID_DIGITS]}"
    first = parents[0].provenance if parents else Provenance(kind)
    origin = Provenance(first.source, first.line, first.licence, kind, names, detail)
    own = parents[0].group if parents else ""
    return Row(name, columns, origin, own if group is None else group)


def get_row_group(row: Row, text: str = "") -> str:
    """Return the group of a row: its own, else its normalised text, else its id."""
    value = row.columns.get(text) if text else None
    return row.group or (normalise_words(value) if isinstance(value, str) else "") or row.id
