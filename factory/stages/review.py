"""Let experts' decisions stand: what they rejected goes, what they edited is replaced; and count what they said."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from factory import review
from factory.api import TRAIN, Row
from factory.data.rows import read_json, read_jsonl, write_json, write_jsonl, write_rows
from factory.stages.job import StageJob

STEP = "review"


def run(job: StageJob) -> None:
    """Write what curate writes, after the decisions: `train.jsonl`, `dropped.jsonl`, `curate.json`; and `review.json`.

    A file of decisions that is not there yet means that nothing was decided.
    """
    rows, content = job.rows("curate", f"{TRAIN}.jsonl"), review.Content.of(job.task())
    words = review.read(job.root / job.config["file"])
    outcomes = {row: review.settle(said) for row, said in words.decided().items()}
    kept = write_rows(job.out / f"{TRAIN}.jsonl", _kept(rows, content, outcomes))
    facts = {**review.facts(rows, content, words.decided()), "torn": words.torn, "kept": kept}
    write_jsonl(job.out / "dropped.jsonl", _dropped(job, rows, content, outcomes))
    curated = read_json(job.inputs["curate"] / "curate.json")
    curated["funnel"] = [*curated["funnel"], _step(rows, content, outcomes, kept)]
    write_json(job.out / "curate.json", curated)
    write_json(job.out / "review.json", facts)
    for file in _others(job.inputs["curate"]):
        shutil.copyfile(file, job.out / file.name)
    _say(job, facts)


def _kept(rows: Sequence[Row], content: review.Content, outcomes: Mapping[str, review.Outcome]) -> Iterator[Row]:
    if not outcomes:
        yield from rows
        return
    for row in rows:
        left = review.applied(row, outcomes.get(content.digest(row)))
        if left is not None:
            yield left


def _dropped(
    job: StageJob, rows: Sequence[Row], content: review.Content, outcomes: Mapping[str, review.Outcome]
) -> Iterator[dict[str, Any]]:
    """What curators dropped, then what experts did."""
    yield from read_jsonl(job.inputs["curate"] / "dropped.jsonl")
    for row, outcome in _outcomes(rows, content, outcomes):
        if outcome.verdict == review.REJECT:
            yield {"row": row.to_json(), "step": STEP, "why": outcome.why, "twin": ""}


def _outcomes(
    rows: Sequence[Row], content: review.Content, outcomes: Mapping[str, review.Outcome]
) -> Iterator[tuple[Row, review.Outcome]]:
    """The rows that were decided on."""
    if outcomes:
        for row in rows:
            outcome = outcomes.get(content.digest(row))
            if outcome is not None:
                yield row, outcome


def _step(
    rows: Sequence[Row], content: review.Content, outcomes: Mapping[str, review.Outcome], kept: int
) -> dict[str, Any]:
    """The funnel's line. The reason counted is the outcome alone: a note is one expert's own words."""
    found = [outcome for _, outcome in _outcomes(rows, content, outcomes)]
    reasons = Counter(outcome.why.partition(":")[0] for outcome in found if outcome.verdict == review.REJECT)
    changed = sum(outcome.verdict == review.EDIT for outcome in found)
    reasons += Counter({"edited": changed})
    return {"step": STEP, "in": len(rows), "dropped": len(rows) - kept, "changed": changed, "out": kept,
            "reasons": dict(sorted(reasons.items()))}


def _others(curated: Path) -> list[Path]:
    """What else curate left, for whoever reads it through this stage."""
    ours = {f"{TRAIN}.jsonl", "dropped.jsonl", "curate.json"}
    return [file for file in sorted(curated.iterdir()) if file.is_file() and file.name not in ours]


def _say(job: StageJob, facts: Mapping[str, Any]) -> None:
    if facts["torn"]:
        job.report.note(f"{job.config['file']}: {facts['torn']} lines are no decision; passed over", warning=True)
    if not facts["reviewed"]:
        there = (job.root / job.config["file"]).exists()
        said = "none of its decisions is about the present rows" if there else "nobody has reviewed a row yet"
        job.report.note(f"{job.config['file']}: {said}; `factory review SPEC` begins", warning=True)
        return
    edited, rejected = facts["edited"], facts["rejected"]
    job.report.note(f"{facts['reviewed']} of {facts['rows']} rows reviewed, {edited} edited and {rejected} dropped")
