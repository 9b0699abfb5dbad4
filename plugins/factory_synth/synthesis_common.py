"""What synthesizers share: rows made from rows, refusals counted, and what is said at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from factory.api import Reporter, Row, RowsJob, get_row_group, make_synthetic_row

MAX_SHOWN_REASONS = 3
"""Reasons that a note tells, the frequent ones first."""


@dataclass(slots=True)
class Tally:
    """How much was made, and what was refused and why. One example a reason is kept to be shown."""

    made_count: int = 0
    refusal_counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)

    def count_refusal(self, why: str, example: str = "") -> None:
        self.refusal_counts[why] += 1
        self.examples.setdefault(why, " ".join(example.split())[:80])

    def report_tally(self, report: Reporter, what: str, wanted: int = 0) -> None:
        """One note, a warning when less came than was `wanted`."""
        lacking = f" of {wanted}" if wanted else ""
        report.note(f"{self.made_count}{lacking} {what} made{self._render_refusals()}", warning=self.made_count < wanted)

    def _render_refusals(self) -> str:
        if not self.refusal_counts:
            return ""
        ordered = sorted(self.refusal_counts.items(), key=lambda item: (-item[1], item[0]))
        told = [f"{count} {why}{self._render_refusal_example(why)}" for why, count in ordered[:MAX_SHOWN_REASONS]]
        rest = sum(count for _, count in ordered[MAX_SHOWN_REASONS:])
        more = [f"{rest} for other reasons"] if rest else []
        return f"; {self.refusal_counts.total()} refused: {', '.join([*told, *more])}"

    def _render_refusal_example(self, why: str) -> str:
        return f" ({self.examples[why]!r})" if self.examples.get(why) else ""


def report_doubtful_labels(report: Reporter, doubtful: int, count: int, unsure: str) -> None:
    """Say how many labels are doubtful, and what becomes of these rows: `review` or `drop`."""
    if doubtful:
        fate = "kept for a reviewer to see first" if unsure == "review" else "left out of training"
        report.note(f"{doubtful} of {count} labels are doubtful, and {fate}")


def make_child_row(job: RowsJob, kind: str, columns: Mapping[str, Any], *parents: Row, **detail: Any) -> Row:
    """A row made from others, on the first one's side of any split: of its group, or of the one that it is alone."""
    first = parents[0]
    own = f"{first.table}/{first.id}" if first.table else get_row_group(first, job.task.text_column if job.task else "")
    return make_synthetic_row(kind, columns, parents, first.group or own, **detail)


def prepare_made_rows(job: RowsJob, rows: Iterable[Row]) -> Iterator[Row]:
    """Made rows, each once, with the columns that the task computes; says which columns of the other rows they lack.

    Raises ValueError for a column that the task itself needs, and without a task: nobody could say what a row needs.
    """
    if job.task is None:
        raise ValueError("made rows are prepared by the task, and there is none")
    rows = list({row.id: row for row in rows}.values())
    if lacking := sorted({*job.task.columns} - _list_shared_columns(rows)) if rows else []:
        raise ValueError(f"made rows lack {', '.join(lacking)}, which the task {job.task.kind!r} needs")
    ready = list(job.task.prepare(replace(job, rows=rows)))
    if lacking := sorted(_list_shared_columns(job.rows) - _list_shared_columns(ready)) if ready else []:
        job.report.note(
            f"made rows lack {', '.join(lacking)}, which the other rows have; "
            "a synthesizer that adds columns stands after those that add rows", warning=True,
        )
    yield from ready


def _list_shared_columns(rows: Sequence[Row]) -> set[str]:
    """The columns that all of these rows have."""
    return set(rows[0].columns).intersection(*(row.columns for row in rows)) if rows else set()


def get_column_text(row: Row, column: str) -> str:
    """The text in a column. Raises ValueError for a row that has none there."""
    value = row.columns.get(column)
    if not isinstance(value, str):
        there = ", ".join(sorted(row.columns)) or "none"
        raise ValueError(f"row {row.id!r}: {column!r} holds no text; it has the columns {there}")
    return value


def sample_rows_by_id(rows: Sequence[Row], count: int, seed: int) -> list[Row]:
    """`count` of the rows (0: all) in their order. A row is drawn by its own id, so that others may come and go."""
    if not count or len(rows) <= count:
        return list(rows)
    lots = {row.id: Random(f"{seed} {row.id}").random() for row in rows}
    chosen = set(sorted(lots, key=lambda name: (lots[name], name))[:count])
    return [row for row in rows if row.id in chosen]
