"""Audit the training rows as data and as tokens; fail, with the rows that show why, before an hour is spent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from factory.api import TRAIN, Finding, ModelJob, Row, RowsJob
from factory.data.requirements import describe_failed_requirements
from factory.data.rows import read_json, write_json
from factory.errors import InputError
from factory.stages.job import StageJob, guard_plugin_call, iterate_checked_values

MAX_FINDING_EXAMPLES = 5
"""Examples kept of each check."""


def run(job: StageJob) -> None:
    """Write `preflight.json`; raise InputError when a required test of the data failed, a line for each, or when a
    check fails more rows than the spec tolerates.
    """
    if failed := describe_failed_requirements(read_json(job.inputs["curate"] / "curate.json").get("tests", [])):
        raise InputError("\n".join(failed))
    rows = job.open_input_rows("curate", f"{TRAIN}.jsonl")
    if not rows:
        raise InputError("no training rows are left after curation; look at its funnel")
    findings = _collect_audit_findings(job, rows)
    limits: Mapping[str, float] = job.config["limits"]
    checks = [
        _evaluate_preflight_check(name, findings, limits.get(name, 0.0), len(rows))
        for name in sorted({*limits, *_collect_check_names(findings)})
    ]
    for check in checks:
        if check["rows"]:
            job.report.note(_describe_failed_check(check, len(rows)), warning=not check["passed"])
    wrong = [check for check in checks if not check["passed"]]
    if wrong:
        raise InputError("; ".join(_describe_check_remedy(check, len(rows)) for check in wrong))
    write_json(job.out / "preflight.json", {"rows": len(rows), "checks": checks})


def _collect_audit_findings(job: StageJob, rows: Sequence[Row]) -> list[Finding]:
    task, objective, common, base = job.load_task(), job.load_objective(), job.build_job_fields(), job.load_base()
    with guard_plugin_call(task, rows, common["tables"]):
        work = RowsJob(**common, rows=rows, base=base, task=task)
        found = list(iterate_checked_values(task, "audit", task.audit(work), Finding))
    with guard_plugin_call(objective, rows, common["tables"]):
        asked = ModelJob(**common, rows=rows, base=base, task=task)
        found += iterate_checked_values(objective, "audit", objective.audit(asked), Finding)
    return found


def _collect_check_names(findings: Iterable[Finding]) -> set[str]:
    return {finding.check for finding in findings}


def _evaluate_preflight_check(name: str, findings: Iterable[Finding], limit: float, rows: int) -> dict[str, Any]:
    """One check: the rows that fail it, their share, and whether the spec tolerates that."""
    mine = [finding for finding in findings if finding.check == name]
    failing = list(dict.fromkeys(finding.row for finding in mine))
    share = len(failing) / rows
    return {
        "check": name, "rows": len(failing), "share": round(share, 6), "limit": limit, "passed": share <= limit,
        "examples": [{"row": finding.row, "text": finding.text} for finding in mine[:MAX_FINDING_EXAMPLES]],
    }


def _describe_failed_check(check: Mapping[str, Any], rows: int) -> str:
    example = check["examples"][0]
    return f"{check['check']}: {check['rows']} of {rows} training rows, such as {example['row']}: {example['text']}"


def _describe_check_remedy(check: Mapping[str, Any], rows: int) -> str:
    name = check["check"]
    return (
        f"{_describe_failed_check(check, rows)}; mend the rows, or raise data.preflight.{name} above "
        f"{check['limit']:g}"
    )
