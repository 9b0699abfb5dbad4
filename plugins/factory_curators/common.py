"""Shared by several curators: their columns and model, the text of a row, and decisions about rows with a fault."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Literal

from pydantic import Field

from factory.api import Curator, Decision, Row, RowsJob, Task, join_text_columns, normalise
from factory.api.label_sets import LABEL_SETS
from factory.text.templates import list_slots

Action = Literal["drop", "flag"]


class TextCurator(Curator):
    """A curator that looks at the text of some columns."""

    text_columns: tuple[str, ...] = Field((), description="columns to look at; empty for the text column of the task")

    @property
    def columns(self) -> tuple[str, ...]:  # type: ignore[override]  # known only when the fields are
        return self.text_columns


class EmbeddingCurator(TextCurator):
    """A curator that compares the embeddings of texts."""

    model: Literal["embedder", "student"] = Field(
        "embedder", description="model of the embeddings: models.embedder, or the student if it is an encoder"
    )

    def get_required_models(self) -> tuple[str, ...]:
        return ("embedder",) if self.model == "embedder" else ()


def get_row_text(row: Row, job: RowsJob, columns: Sequence[str]) -> str:
    """Return the text of these columns; if there are none, of the task's text column, or of all text columns."""
    text = row.columns.get(job.task.text_column) if job.task is not None and not columns else None
    return text if isinstance(text, str) else join_text_columns(row.columns, columns)


def has_labels(task: Task | None) -> bool:
    """Whether the answers of a task are labels, which are compared as the task renders them."""
    return task is not None and task.output_type in ("labels", LABEL_SETS)


def render_compared_columns(row: Row, job: RowsJob, columns: Sequence[str]) -> str:
    """Return what makes a row the same as another one: the normal form of these columns, or of all text columns.

    Labels count as the task compares them: a row with the label "Art" is no copy of one with "art".
    """
    names = list(columns) or sorted(name for name, value in row.columns.items() if isinstance(value, str))
    text, task = join_text_columns(row.columns, names), job.task
    labels = list_slots(task.get_templates()["target"]) if task is not None and has_labels(task) else ()
    if task is None or not set(labels) & set(names):
        return normalise(text)
    texts = [name for name in names if name not in labels]
    return f"{normalise(join_text_columns(row.columns, texts)) if texts else ''}\n{task.render_target(row)}"


def filter_by_text(job: RowsJob, columns: Sequence[str], find_fault: Callable[[str], str]) -> Iterator[Decision]:
    """Drop each row whose text has a fault: `find_fault` returns the reason, or an empty text to keep the row."""
    for row in job.rows:
        why = find_fault(get_row_text(row, job, columns))
        yield Decision(row.id, not why, why)


def build_objection(row: Row, why: str, action: Action, twin: str = "") -> Decision:
    """Return the decision to drop a row, or to keep it flagged for review, with the doubt in its provenance."""
    if action == "drop":
        return Decision(row.id, False, why, twin)
    return Decision(row.id, True, why, twin, row.with_doubt(why))
