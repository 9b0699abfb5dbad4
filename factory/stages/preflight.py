"""Preflight: check the training rows as data and as tokens, and fail with example rows before training starts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from factory.api import TEST, TRAIN, Finding, ModelJob, Row, RowsJob
from factory.data.requirements import describe_failed_requirements
from factory.data.rows import read_json, write_json
from factory.data.split import list_row_groups
from factory.errors import InputError
from factory.evaluation.rules import find_slice_problem
from factory.models.position_limit import describe_length_problem, read_position_limit
from factory.stages.job import StageJob, guard_plugin_call, iterate_checked_values

MAX_FINDING_EXAMPLES = 5
"""Number of examples kept per check."""


def run(job: StageJob) -> None:
    """Write `preflight.json`. Raises InputError for failed tests of `data.require`, one per line, and for checks that
    more rows fail than `data.preflight` allows.
    """
    if failed := describe_failed_requirements(read_json(job.inputs["curate"] / "curate.json").get("tests", [])):
        raise InputError("\n".join(failed))
    _check_length(job)
    rows = job.open_input_rows("curate", f"{TRAIN}.jsonl")
    if not rows:
        raise InputError("no training rows are left after curation; see the funnel in `factory data`")
    _check_guarded_slices(job)
    findings = _collect_audit_findings(job, rows)
    limits: Mapping[str, float] = job.config["limits"]
    checks = [
        _evaluate_preflight_check(name, findings, limits.get(name, 0.0), len(rows))
        for name in sorted({*limits, *(finding.check for finding in findings)})
    ]
    for check in checks:  # report all checks, passed ones too, before the first failure stops the build
        if check["rows"]:
            job.report.note(_describe_failed_check(check, len(rows)), warning=not check["passed"])
    failed_checks = [check for check in checks if not check["passed"]]
    if failed_checks:
        raise InputError("; ".join(
            f"{_describe_failed_check(check, len(rows))}; fix the rows, or raise data.preflight.{check['check']} "
            f"above {check['limit']:g}" for check in failed_checks
        ))
    write_json(job.out / "preflight.json", {"rows": len(rows), "checks": checks})


def _check_length(job: StageJob) -> None:
    """Raise InputError for texts longer than the positions of the base, before anything is tokenised."""
    limit = read_position_limit(job.inputs["base"] / "model") if "base" in job.inputs else None
    if problem := describe_length_problem(job.config.get("objective", {}), limit):
        raise InputError(f"objective.max_length: {problem}")


def _check_guarded_slices(job: StageJob) -> None:
    """Raise InputError before training if a guard of the gate protects a slice of which too few test rows are."""
    if "slices" not in job.config:
        return
    task, rows = job.load_task(), job.open_input_rows("freeze", f"{TEST}.jsonl")
    with guard_plugin_call(task, rows):
        known = [dict(task.get_row_slices(row)) for row in rows]
    groups = list_row_groups(rows, task.text_column)
    clusters = [group or row.id for group, row in zip(groups, rows, strict=True)]
    for guarded in job.config["slices"]:
        if problem := find_slice_problem(guarded, known, clusters):
            raise InputError(problem)


def _collect_audit_findings(job: StageJob, rows: Sequence[Row]) -> list[Finding]:
    task, objective, common, base = job.load_task(), job.load_objective(), job.build_job_fields(), job.load_base()
    with guard_plugin_call(task, rows, common["tables"]):
        work = RowsJob(**common, rows=rows, base=base, task=task)
        findings = list(iterate_checked_values(task, "audit", task.audit(work), Finding))
    with guard_plugin_call(objective, rows, common["tables"]):
        model_job = ModelJob(**common, rows=rows, base=base, task=task)
        findings += iterate_checked_values(objective, "audit", objective.audit(model_job), Finding)
    return findings


def _evaluate_preflight_check(name: str, findings: Iterable[Finding], limit: float, rows: int) -> dict[str, Any]:
    """Return the number and share of rows that fail a check, whether it passed, and examples."""
    matching = [finding for finding in findings if finding.check == name]
    failing = list(dict.fromkeys(finding.row for finding in matching))  # a row may have several findings of a check
    share = len(failing) / rows
    return {
        "check": name, "rows": len(failing), "share": round(share, 6), "limit": limit, "passed": share <= limit,
        "examples": [{"row": finding.row, "text": finding.text} for finding in matching[:MAX_FINDING_EXAMPLES]],
    }


def _describe_failed_check(check: Mapping[str, Any], rows: int) -> str:
    example = check["examples"][0]
    return f"{check['check']}: {check['rows']} of {rows} training rows, such as {example['row']}: {example['text']}"
