"""Drop what should not be learned from: what curators refuse, then what is too close to a frozen row; and prove it."""

from __future__ import annotations

from collections import Counter
from typing import Any, cast

from factory.api import TEST, TRAIN, VALIDATION, Curator, Decision, Row, RowsJob
from factory.data.leakage import leaks, proof
from factory.data.rows import write_json, write_jsonl, write_rows
from factory.errors import PluginError
from factory.stages.job import StageJob, boundary

LEAKAGE = "leakage"


def run(job: StageJob) -> None:
    """Write `train.jsonl`, `dropped.jsonl` with the reasons, and `curate.json` with the funnel and the proof."""
    rows = job.rows("synthesize", f"{TRAIN}.jsonl")
    dropped: list[dict[str, Any]] = []
    funnel: list[dict[str, Any]] = []
    for block in job.config["curators"]:
        curator = cast(Curator, job.make("curator", block))
        decisions = _decide(job, curator, rows)
        rows = _apply(rows, decisions, curator.kind, dropped, funnel)
    frozen = [row for part in (TEST, VALIDATION) for row in job.rows("freeze", f"{part}.jsonl")]
    text, near = job.config["text"], job.config["leakage"]["near"]
    found = leaks(rows, frozen, text, near)
    rows = _apply(rows, [Decision(leak.row, False, leak.why, leak.twin) for leak in found], LEAKAGE, dropped, funnel)
    write_rows(job.out / f"{TRAIN}.jsonl", rows)
    write_jsonl(job.out / "dropped.jsonl", dropped)
    write_json(job.out / "curate.json", {"funnel": funnel, "leakage": proof(rows, frozen, text, near, found)})


def _decide(job: StageJob, curator: Curator, rows: list[Row]) -> list[Decision]:
    with boundary(curator):
        decisions = list(curator.keep(RowsJob(**job.common(), rows=rows, base=job.base(), task=job.task())))
    unknown = {decision.id for decision in decisions} - {row.id for row in rows}
    if unknown:
        raise PluginError(f"curator {curator.kind!r}: decided on {min(unknown)!r}, which is no row")
    return decisions


def _apply(
    rows: list[Row], decisions: list[Decision], step: str, dropped: list[dict[str, Any]], funnel: list[dict[str, Any]]
) -> list[Row]:
    """The rows that stay; those that go are added to `dropped`, and the counts to `funnel`."""
    gone = {decision.id: decision for decision in decisions if not decision.kept}
    kept = [row for row in rows if row.id not in gone]
    for row in rows:
        if row.id in gone:
            why = gone[row.id]
            dropped.append({"row": row.to_json(), "step": step, "why": why.why, "twin": why.twin})
    reasons = dict(sorted(Counter(decision.why for decision in gone.values()).items()))
    funnel.append({"step": step, "in": len(rows), "dropped": len(gone), "out": len(kept), "reasons": reasons})
    return kept
