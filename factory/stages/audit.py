"""Audit: the checks of training and frozen rows as data, for `factory data`; preflight runs them before training."""

from __future__ import annotations

from collections.abc import Sequence

from factory.api import TEST, TRAIN, VALIDATION, Finding, NoOpReporter, Row, RowsJob
from factory.api.label_sets import LABEL_SETS
from factory.data.row_audit import RowFindings, describe_failures, evaluate_checks, read_limits
from factory.data.rows import write_json
from factory.stages.job import StageJob, guard_plugin_call, iterate_checked_values
from factory.stages.step_rows import trains_on_documents


def run(job: StageJob) -> None:
    """Write `audit.json`: the checks that found something, and what stops a build before training (`failure`)."""
    found = collect_row_findings(job, job.open_input_rows("curate", f"{TRAIN}.jsonl"))
    checks = [check for check in evaluate_checks(found, read_limits(job.config["limits"])) if check["rows"]]
    write_json(job.out / "audit.json", {
        "rows": found.rows, "checks": checks, "failure": describe_failures(checks, found),
    })


def collect_row_findings(job: StageJob, train: Sequence[Row]) -> RowFindings:
    """Return what the task finds in training, test and validation rows, and what only their comparison shows."""
    frozen = {part: job.open_input_rows("freeze", f"{part}.jsonl") for part in (TEST, VALIDATION)}
    parts, task, common = {TRAIN: train, **frozen}, job.load_task(), job.build_job_fields()
    found = RowFindings({part: len(rows) for part, rows in parts.items()})
    if trains_on_documents(job):
        return found
    base = job.load_base()
    with guard_plugin_call(task, *parts.values(), common["tables"]):
        for part, rows in parts.items():
            # Notes are about training rows: those on frozen rows would read the same.
            report = job.report if part == TRAIN else NoOpReporter()
            work = RowsJob(**{**common, "report": report}, rows=rows, base=base, task=task)
            found.by_part[part] += iterate_checked_values(task, "audit", task.audit(work), Finding)
        if task.output_type in ("labels", LABEL_SETS) and train:
            found.add_label_findings(task, parts)
    return found
