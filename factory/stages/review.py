"""Apply the decisions of reviewers: drop rejected rows, replace edited ones, and summarise the review."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from factory import review
from factory.api import TRAIN, Row
from factory.data.rows import read_json, read_jsonl, write_json, write_jsonl, write_rows
from factory.stages.job import StageJob

REVIEW_STEP = "review"
HELD_BACK_REASON = "doubtful, and no expert has decided"
HELD_BACK_OUTCOME = review.ReviewOutcome(review.REJECT, why=HELD_BACK_REASON)


def run(job: StageJob) -> None:
    """Write the files of curate with the decisions applied (`train.jsonl`, `dropped.jsonl`, `curate.json`), and
    `review.json`. Without a file of decisions, nothing is decided yet.
    """
    rows, content = job.open_input_rows("curate", f"{TRAIN}.jsonl"), review.RowContent.from_task(job.load_task())
    journal = review.read_decisions(job.root / job.config["file"])
    decisions = journal.select_final_decisions()
    outcomes = _ReviewOutcomes(rows, content, decisions, hold=job.config["doubtful"] == "hold")
    kept = write_rows(job.out / f"{TRAIN}.jsonl", outcomes.iterate_kept_rows())
    step = outcomes.build_funnel_step(kept)
    held = step["reasons"].get(HELD_BACK_REASON, 0)
    summary = review.summarise_review(rows, content, decisions)
    facts = {**summary, "torn": journal.torn_lines, "held": held, "kept": kept}
    dropped = chain(read_jsonl(job.inputs["curate"] / "dropped.jsonl"), outcomes.iterate_rejected_rows())
    write_jsonl(job.out / "dropped.jsonl", dropped)
    curated = read_json(job.inputs["curate"] / "curate.json")
    curated["funnel"] = [*curated["funnel"], step]
    write_json(job.out / "curate.json", curated)
    write_json(job.out / "review.json", facts)
    # Later stages read this folder in the place of curate's: copy the files that the review does not change.
    for file in sorted(job.inputs["curate"].iterdir()):
        if file.is_file() and not (job.out / file.name).exists():
            shutil.copyfile(file, job.out / file.name)
    _report_review_outcome(job, facts)


class _ReviewOutcomes:
    """The outcome of each row: the reviewers' decision; with `hold`, doubtful rows without one are held back."""

    def __init__(
        self, rows: Sequence[Row], content: review.RowContent,
        decisions: Mapping[str, Mapping[str, review.ReviewDecision]], *, hold: bool,
    ) -> None:
        self.rows, self.content, self.hold = rows, content, hold
        self.outcomes = {digest: review.adjudicate_decisions(by_reviewer) for digest, by_reviewer in decisions.items()}

    def find_row_outcome(self, row: Row) -> review.ReviewOutcome | None:
        """Return the outcome of a row; None if it is kept unchanged."""
        outcome = self.outcomes.get(self.content.compute_content_digest(row)) if self.outcomes else None
        return HELD_BACK_OUTCOME if outcome is None and self.hold and row.doubt else outcome

    def iterate_kept_rows(self) -> Iterator[Row]:
        """Yield the rows that are kept, with their edits."""
        for row in self.rows:
            kept = review.apply_outcome(row, self.find_row_outcome(row))
            if kept is not None:
                yield kept

    def iterate_rejected_rows(self) -> Iterator[dict[str, Any]]:
        """Yield the dropped rows as lines of dropped.jsonl."""
        for row in self.rows:
            outcome = self.find_row_outcome(row)
            if outcome is not None and outcome.verdict == review.REJECT:
                yield {"row": row.to_json(), "step": REVIEW_STEP, "why": outcome.why, "twin": ""}

    def build_funnel_step(self, kept: int) -> dict[str, Any]:
        """Return the funnel step of the review."""
        outcomes = [outcome for outcome in map(self.find_row_outcome, self.rows) if outcome is not None]
        # Text after the colon is a reviewer's note, which differs from row to row.
        reasons = Counter(outcome.why.partition(":")[0] for outcome in outcomes if outcome.verdict == review.REJECT)
        changed = sum(outcome.verdict == review.EDIT for outcome in outcomes)
        reasons += Counter({"edited": changed})
        return {
            "step": REVIEW_STEP, "in": len(self.rows), "dropped": len(self.rows) - kept, "changed": changed,
            "out": kept, "reasons": dict(sorted(reasons.items())),
        }


def _report_review_outcome(job: StageJob, facts: Mapping[str, Any]) -> None:
    if facts["torn"]:
        lines = "1 invalid line was" if facts["torn"] == 1 else f"{facts['torn']} invalid lines were"
        job.report.note(f"{job.config['file']}: {lines} skipped", warning=True)
    if facts["held"]:
        rows = "1 doubtful row is" if facts["held"] == 1 else f"{facts['held']} doubtful rows are"
        job.report.note(f"{rows} held back until reviewed; `factory review SPEC` shows them first")
    if not facts["reviewed"]:
        exists = (job.root / job.config["file"]).exists()
        state = "no decision applies to the current rows" if exists else "no row has been reviewed yet"
        job.report.note(f"{job.config['file']}: {state}; start with `factory review SPEC`", warning=True)
        return
    edited, rejected = facts["edited"], facts["rejected"]
    job.report.note(f"{facts['reviewed']} of {facts['rows']} rows reviewed, {edited} edited and {rejected} dropped")
