"""Helpers shared by synthesizers: derived rows, counted rejections, and the closing note."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from factory.api import Reporter, Row, RowsJob, get_row_group, make_synthetic_row

MAX_SHOWN_REASONS = 3
"""Maximum number of reasons listed in a note, most frequent first."""


@dataclass(slots=True)
class Tally:
    """Counts of rejected rows by reason, with one example per reason."""

    refusal_counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)

    def count_refusal(self, reason: str, example: str = "") -> None:
        self.refusal_counts[reason] += 1
        self.examples.setdefault(reason, " ".join(example.split())[:80])

    def report_tally(self, report: Reporter, what: str, count: int, wanted: int = 0) -> None:
        """Note how many rows were generated and why others were rejected, as a warning below `wanted` rows."""
        text = f"{what} generated: {count} of {wanted}" if wanted else f"{what} generated: {count}"
        ordered = sorted(self.refusal_counts.items(), key=lambda item: (-item[1], item[0]))
        reasons = []
        for reason, times in ordered[:MAX_SHOWN_REASONS]:
            example = f", such as {self.examples[reason]!r}" if self.examples[reason] else ""
            reasons.append(f"{reason} ({times}{example})")
        if rest := sum(times for _, times in ordered[MAX_SHOWN_REASONS:]):
            reasons.append(f"other reasons ({rest})")
        if reasons:
            text += f"; {self.refusal_counts.total()} rejected: {', '.join(reasons)}"
        report.note(text, warning=count < wanted)


def report_doubtful_labels(report: Reporter, doubtful: int, count: int, unsure: str) -> None:
    """Report how many labels are doubtful and what happens to these rows: `review` or `drop`."""
    if doubtful:
        fate = "kept and queued first for review" if unsure == "review" else "dropped"
        report.note(f"doubtful labels: {doubtful} of {count}; their rows were {fate}")


def make_child_row(job: RowsJob, kind: str, columns: Mapping[str, Any], parent: Row, **detail: Any) -> Row:
    """Make a row derived from another one, in the same group, so that no split separates them."""
    group = get_row_group(parent, job.task.text_column if job.task else "")
    if parent.table and not parent.group:
        group = f"{parent.table}/{parent.id}"
    return make_synthetic_row(kind, columns, [parent], group, **detail)


def prepare_made_rows(job: RowsJob, rows: Iterable[Row]) -> Iterator[Row]:
    """Deduplicate generated rows, let the task prepare them, and warn about columns that only other rows have.

    Raises ValueError without a task, or for rows that lack a column of the task.
    """
    if job.task is None:
        raise ValueError("synthetic rows are prepared by the task, but this job has no task")
    rows = list({row.id: row for row in rows}.values())
    if missing := sorted({*job.task.columns} - _list_shared_columns(rows)) if rows else []:
        raise ValueError(f"synthetic rows lack {', '.join(missing)}, required by the task {job.task.kind!r}")
    prepared = list(job.task.prepare(replace(job, rows=rows)))
    if missing := sorted(_list_shared_columns(job.rows) - _list_shared_columns(prepared)) if prepared else []:
        job.report.note(
            f"synthetic rows lack {', '.join(missing)}, which the other rows have; "
            "list synthesizers that add columns after those that add rows", warning=True,
        )
    yield from prepared


def _list_shared_columns(rows: Sequence[Row]) -> set[str]:
    """Return the columns that all rows have."""
    return set(rows[0].columns).intersection(*(row.columns for row in rows)) if rows else set()


def get_column_text(row: Row, column: str) -> str:
    """Return the text of a column. Raises ValueError if the column is missing or not a text."""
    value = row.columns.get(column)
    if not isinstance(value, str):
        available = ", ".join(sorted(row.columns)) or "none"
        raise ValueError(f"row {row.id!r}: column {column!r} is missing or not a text; available columns: {available}")
    return value


def sample_rows_by_id(rows: Sequence[Row], count: int, seed: int) -> list[Row]:
    """Sample `count` rows (0: all), in their order; a row's draw depends on its id alone, not on the other rows."""
    if not count or len(rows) <= count:
        return list(rows)
    draws = {row.id: Random(f"{seed} {row.id}").random() for row in rows}
    chosen = set(sorted(draws, key=lambda name: (draws[name], name))[:count])
    return [row for row in rows if row.id in chosen]
