"""Add the task's computed columns to all rows, before the split."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from factory.api import Row, RowsJob, Task
from factory.data.rows import write_json, write_rows
from factory.errors import PluginError
from factory.stages.job import StageJob, guard_plugin_call, iterate_checked_values


def run(job: StageJob) -> None:
    """Write `rows.jsonl` with the task's prepared columns."""
    task, rows = job.load_task(), job.open_input_rows("gather", "rows.jsonl")
    work = RowsJob(**job.build_job_fields(), rows=rows, base=job.load_base(), task=task)
    with guard_plugin_call(task, rows, work.tables):
        prepared = iterate_checked_values(task, "prepare", task.prepare(work), Row)
        count = write_rows(job.out / "rows.jsonl", _check_prepared_rows(task, rows, prepared))
    write_json(job.out / "prepare.json", {"rows": count, "columns": list(task.added_columns)})


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
