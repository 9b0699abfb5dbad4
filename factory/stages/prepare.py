"""Add the columns that are computed and not given, to every row alike, before anything is split."""

from __future__ import annotations

from factory.api import RowsJob
from factory.data.rows import write_json, write_rows
from factory.errors import PluginError
from factory.stages.job import StageJob, boundary


def run(job: StageJob) -> None:
    """Write `rows.jsonl` with the task's prepared columns."""
    task, rows = job.task(), job.rows("gather", "rows.jsonl")
    with boundary(task):
        work = RowsJob(**job.common(), rows=rows, base=job.base(), task=task)
        prepared = list(task.prepare(work))
    if [row.id for row in prepared] != [row.id for row in rows]:
        raise PluginError(f"task {task.kind!r}: prepare must give back every row, in order")
    write_rows(job.out / "rows.jsonl", prepared)
    write_json(job.out / "prepare.json", {"rows": len(prepared), "columns": list(task.prepared)})
