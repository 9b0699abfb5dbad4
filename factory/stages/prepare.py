"""Add the task's computed columns to all rows, before the split."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from factory.api import Row, RowsJob, Task, is_blank
from factory.data.rows import format_row_origin, write_json, write_rows
from factory.errors import InputError, PluginError
from factory.stages.job import StageJob, guard_plugin_call, iterate_checked_values


def run(job: StageJob) -> None:
    """Write `rows.jsonl` with the task's prepared columns."""
    task, rows = job.load_task(), job.open_input_rows("gather", "rows.jsonl")
    work = RowsJob(**job.build_job_fields(), rows=rows, base=job.load_base(), task=task)
    if job.config.get("refuses_empty"):
        _refuse_empty_texts(task, rows)
    with guard_plugin_call(task, rows, work.tables):
        prepared = iterate_checked_values(task, "prepare", task.prepare(work), Row)
        count = write_rows(job.out / "rows.jsonl", _check_prepared_rows(task, rows, prepared))
    write_json(job.out / "prepare.json", {"rows": count, "columns": list(task.added_columns)})


def _refuse_empty_texts(task: Task, rows: Sequence[Row]) -> None:
    """Raise InputError for rows whose text is empty, before the task computes columns, which may take minutes."""
    column = task.text_column
    empty = [row for row in rows if isinstance(row.columns.get(column), str) and is_blank(row[column])]
    if empty:
        example = f"{empty[0].id} ({format_row_origin(empty[0])})"
        remedy = "fix the rows, or raise data.preflight.empty above 0"
        raise InputError(f"empty: {len(empty)} of {len(rows)} rows, such as {example}: no text in {column!r}; {remedy}")


def _check_prepared_rows(task: Task, rows: Sequence[Row], prepared: Iterator[Row]) -> Iterator[Row]:
    """Yield the prepared rows. Raises PluginError unless they are all rows, in order."""
    count = 0
    # Checked while streaming: the rows may be too many to hold.
    for before, after in zip(rows, prepared, strict=False):
        if before.id != after.id:
            break
        count += 1
        yield after
    if count < len(rows) or next(prepared, None) is not None:
        raise PluginError(f"task {task.kind!r}: prepare must yield every row, in order")
