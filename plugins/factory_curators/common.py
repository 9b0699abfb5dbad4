"""What several curators share: which text of a row they look at, and how they speak of a doubt."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Literal

from factory.api import Decision, Row, RowsJob, join_text_columns

Action = Literal["drop", "flag"]
TEXT_COLUMNS_DESCRIPTION = "columns that are looked at; empty for the one that the task calls its text"


def get_row_text(row: Row, job: RowsJob, on: Sequence[str]) -> str:
    """The text of some columns, or of the task's text column, or of all columns that hold text."""
    own = row.columns.get(job.task.text_column) if job.task is not None and not on else None
    return own if isinstance(own, str) else join_text_columns(row.columns, on)


def filter_by_text(job: RowsJob, on: Sequence[str], objection: Callable[[str], str]) -> Iterator[Decision]:
    """A decision for each row by its text: what objects to it drops it, nothing keeps it."""
    for row in job.rows:
        why = objection(get_row_text(row, job, on))
        yield Decision(row.id, not why, why)


def build_objection(row: Row, why: str, action: Action, twin: str = "") -> Decision:
    """A row that is dropped or, to be looked at by a person, kept with the doubt in its provenance."""
    if action == "drop":
        return Decision(row.id, False, why, twin)
    return Decision(row.id, True, why, twin, row.with_doubt(why))
