"""Preflight: check rows as data, and training rows as tokens, and fail with example rows before training starts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from factory.api import TEST, TRAIN, VALIDATION, Finding, ModelJob, NoOpReporter, Row
from factory.data.requirements import describe_failed_requirements
from factory.data.row_audit import RowFindings, describe_check, describe_failures, evaluate_checks, read_limits
from factory.data.rows import read_json, write_json
from factory.data.split import list_row_groups
from factory.errors import InputError
from factory.evaluation.rules import find_slice_problem
from factory.models.position_limit import describe_length_problem, read_position_limit
from factory.stages.audit import collect_row_findings
from factory.stages.job import StageJob, guard_plugin_call, iterate_checked_values
from factory.store.chosen_settings import read_chosen_settings


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
    found = collect_row_findings(job, rows)
    if found.problems:  # before rows become tokens, which takes longer
        raise InputError("; ".join(found.problems))
    _add_token_findings(job, found, rows)
    limited = read_chosen_settings(job.inputs["settings"])["limited"] if "settings" in job.inputs else []
    limits = read_limits(job.config["limits"], all_may_be_cut="objective.max_length" in limited)
    checks = evaluate_checks(found, limits)
    for check in checks:  # report all checks, passed ones too, before the first failure stops the build
        if check["rows"]:
            job.report.note(describe_check(check, found.rows), warning=not check["passed"])
    if failure := describe_failures(checks, found):
        raise InputError(failure)
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


def _add_token_findings(job: StageJob, found: RowFindings, train: Sequence[Row]) -> None:
    """Add what the objective finds in the tokens of training rows, and of the frozen rows, which it answers as well."""
    objective, common = job.load_objective(), job.build_job_fields()
    frozen = {part: job.open_input_rows("freeze", f"{part}.jsonl") for part in (TEST, VALIDATION)}
    parts = {row.id: part for part, rows in frozen.items() for row in rows}
    unjudged = [row for rows in frozen.values() for row in rows]
    with guard_plugin_call(objective, train, unjudged, common["tables"]):
        work = ModelJob(**common, rows=train, base=job.load_base(), task=job.load_task())
        found.by_part[TRAIN] += iterate_checked_values(objective, "audit", objective.audit(work), Finding)
        if unjudged:
            findings = objective.audit_frozen(replace(work, rows=unjudged, report=NoOpReporter()))
            for finding in iterate_checked_values(objective, "audit_frozen", findings, Finding):
                found.by_part[parts[finding.row]].append(finding)
