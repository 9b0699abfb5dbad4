"""Let experts' decisions stand: what they rejected goes, what they edited is replaced; and count what they said."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from factory import review
from factory.api import TRAIN, Row
from factory.data.rows import read_json, read_jsonl, write_json, write_jsonl, write_rows
from factory.stages.job import StageJob

REVIEW_STEP = "review"
HELD_BACK_REASON = "doubtful, and no expert has decided"
HELD_BACK_OUTCOME = review.ReviewOutcome(review.REJECT, why=HELD_BACK_REASON)


def run(job: StageJob) -> None:
    """Write what curate writes, after the decisions: `train.jsonl`, `dropped.jsonl`, `curate.json`; and `review.json`.

    A file of decisions that is not there yet means that nothing was decided.
    """
    rows, content = job.open_input_rows("curate", f"{TRAIN}.jsonl"), review.RowContent.from_task(job.load_task())
    words = review.read_decisions(job.root / job.config["file"])
    decided = words.select_final_decisions()
    fates = _ReviewOutcomes(rows, content, decided, hold=job.config["doubtful"] == "hold")
    kept = write_rows(job.out / f"{TRAIN}.jsonl", fates.iterate_kept_rows())
    step = fates.build_funnel_step(kept)
    held = step["reasons"].get(HELD_BACK_REASON, 0)
    facts = {**review.summarise_review(rows, content, decided), "torn": words.torn_lines, "held": held, "kept": kept}
    write_jsonl(
        job.out / "dropped.jsonl",
        chain(read_jsonl(job.inputs["curate"] / "dropped.jsonl"), fates.iterate_rejected_rows())
    )
    curated = read_json(job.inputs["curate"] / "curate.json")
    curated["funnel"] = [*curated["funnel"], step]
    write_json(job.out / "curate.json", curated)
    write_json(job.out / "review.json", facts)
    for file in _list_other_outputs(job.inputs["curate"]):
        shutil.copyfile(file, job.out / file.name)
    _report_review_outcome(job, facts)


class _ReviewOutcomes:
    """What becomes of each row: what experts decided, and where `hold` says so a doubtful one waits for them."""

    def __init__(
        self, rows: Sequence[Row], content: review.RowContent,
        decided: Mapping[str, Mapping[str, review.ReviewDecision]], *,
        hold: bool,
    ) -> None:
        self.rows, self.content, self.hold = rows, content, hold
        self.outcomes = {row: review.adjudicate_decisions(said) for row, said in decided.items()}

    def find_row_outcome(self, row: Row) -> review.ReviewOutcome | None:
        """None when the row goes on as it is."""
        found = self.outcomes.get(self.content.compute_content_digest(row)) if self.outcomes else None
        return HELD_BACK_OUTCOME if found is None and self.hold and row.doubt else found

    def iterate_kept_rows(self) -> Iterator[Row]:
        """The rows that go on, as they go on."""
        for row in self.rows:
            left = review.apply_outcome(row, self.find_row_outcome(row))
            if left is not None:
                yield left

    def iterate_rejected_rows(self) -> Iterator[dict[str, Any]]:
        """The rows that do not, as dropped.jsonl lists them."""
        for row in self.rows:
            outcome = self.find_row_outcome(row)
            if outcome is not None and outcome.verdict == review.REJECT:
                yield {"row": row.to_json(), "step": REVIEW_STEP, "why": outcome.why, "twin": ""}

    def build_funnel_step(self, kept: int) -> dict[str, Any]:
        """The funnel's line. The reason counted is the outcome alone: a note is one expert's own words."""
        found = [outcome for outcome in map(self.find_row_outcome, self.rows) if outcome is not None]
        reasons = Counter(outcome.why.partition(":")[0] for outcome in found if outcome.verdict == review.REJECT)
        changed = sum(outcome.verdict == review.EDIT for outcome in found)
        reasons += Counter({"edited": changed})
        return {"step": REVIEW_STEP, "in": len(self.rows), "dropped": len(self.rows) - kept, "changed": changed,
            "out": kept,
                "reasons": dict(sorted(reasons.items()))}


def _list_other_outputs(curated: Path) -> list[Path]:
    """What else curate left, for whoever reads it through this stage."""
    ours = {f"{TRAIN}.jsonl", "dropped.jsonl", "curate.json"}
    return [file for file in sorted(curated.iterdir()) if file.is_file() and file.name not in ours]


def _report_review_outcome(job: StageJob, facts: Mapping[str, Any]) -> None:
    if facts["torn"]:
        job.report.note(f"{job.config['file']}: {facts['torn']} lines are no decision; passed over", warning=True)
    if facts["held"]:
        job.report.note(f"{facts['held']} doubtful rows wait for an expert; `factory review SPEC` shows them first")
    if not facts["reviewed"]:
        there = (job.root / job.config["file"]).exists()
        said = "none of its decisions is about the present rows" if there else "nobody has reviewed a row yet"
        job.report.note(f"{job.config['file']}: {said}; `factory review SPEC` begins", warning=True)
        return
    edited, rejected = facts["edited"], facts["rejected"]
    job.report.note(f"{facts['reviewed']} of {facts['rows']} rows reviewed, {edited} edited and {rejected} dropped")
