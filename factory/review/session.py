"""A review session of one reviewer: the queue of rows and the recorded decisions. Independent of the interface."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from factory.api import Row, Tables, Task
from factory.data import review_decisions
from factory.data.review_decisions import ACCEPT, DECIDING_VERDICTS, EDIT, SKIP, UNDO, DecisionLog, ReviewDecision
from factory.errors import InputError
from factory.review.agreement import Agreement, measure_agreement
from factory.review.row_content import RowContent
from factory.review.stratified_sampling import Stratifier, draw_stratified_keys
from factory.text.suggestions import suggest_known_name

MAX_ITEM_LETTERS = 2000
"""Length limit of a row that its task cannot render."""


@dataclass(frozen=True, slots=True)
class ReviewItem:
    """One row of the queue. `key` is the digest of its content; where the row comes from is not shown."""

    key: str
    inputs: Mapping[str, Any]
    answer: Mapping[str, Any]
    row: Row = field(repr=False)


def build_review_queue(rows: Sequence[Row], content: RowContent, count: int, seed: int) -> list[ReviewItem]:
    """Return at most `count` rows to review, in order: the same for all reviewers, so that they can be compared."""
    stratifier = Stratifier(rows, content)
    strata = {}
    first: dict[str, int] = {}
    for position, row in enumerate(rows):
        key = content.compute_content_digest(row)
        if first.setdefault(key, position) == position:
            strata[key] = stratifier.assign_stratum(row)
    drawn = ((key, rows[first[key]]) for key in draw_stratified_keys(strata, count, seed))
    return [ReviewItem(key, content.select_inputs(row), content.select_answer(row), row) for key, row in drawn]


def compute_sample_size(rows: int, share: float) -> int:
    """Return the number of rows of a share, rounded up."""
    # Rounding first keeps a floating-point error from adding a row.
    return min(rows, math.ceil(round(rows * share, 9)))


@dataclass(frozen=True, slots=True)
class ReviewProgress:
    """A reviewer's progress: rows decided, rows in the queue, and counts by verdict, skips included."""

    decided: int
    total: int
    counts: Mapping[str, int]


@dataclass
class ReviewSession:
    """The queue of one reviewer and the file of decisions. `choices` are the valid answers; empty for any."""

    file: Path
    reviewer: str
    items: Sequence[ReviewItem]
    task: Task
    tables: Tables
    content: RowContent
    choices: frozenset[str] = frozenset()
    decision_log: DecisionLog = field(default_factory=DecisionLog)

    def __post_init__(self) -> None:
        self.decision_log = review_decisions.read_decisions(self.file)

    def list_waiting_items(self) -> list[ReviewItem]:
        """Return the rows without a decision of this reviewer, skipped ones last."""
        mine = self._select_own_decisions()
        new = [item for item in self.items if item.key not in mine]
        return [*new, *(item for item in self.items if item.key in mine and mine[item.key].verdict == SKIP)]

    def find_decision(self, item: ReviewItem) -> ReviewDecision | None:
        """Return this reviewer's decision on a row, if any."""
        return self._select_own_decisions().get(item.key)

    def show(self, item: ReviewItem) -> str:
        """Return the row as its task renders it, or as plain columns if that fails."""
        try:
            return self.task.describe_row(item.row, self.tables, None)
        except Exception:  # a plugin's fault must not end the session
            columns = {**item.inputs, **item.answer}.items()
            lines = [f"{name}: {format_editable_value(value)}" for name, value in columns]
            return "\n".join(lines)[:MAX_ITEM_LETTERS]

    def record_decision(
        self, item: ReviewItem, verdict: str, answer: Mapping[str, Any] | None = None, note: str = ""
    ) -> ReviewDecision:
        """Write a decision; it is on disk when this returns. Raises InputError for an invalid edit."""
        decision = self.build_decision(item, verdict, answer, note)
        self.write_decisions([decision])
        return decision

    def build_decision(
        self, item: ReviewItem, verdict: str, answer: Mapping[str, Any] | None = None, note: str = ""
    ) -> ReviewDecision:
        """Return a decision without writing it. An edit that changes nothing accepts the row."""
        if verdict not in (*DECIDING_VERDICTS, SKIP):
            raise InputError(f"unknown decision {verdict!r}; known: {', '.join((*DECIDING_VERDICTS, SKIP))}")
        changed = {name: value for name, value in (answer or {}).items() if item.answer.get(name) != value}
        if verdict == EDIT:
            problem = self._find_edit_problem(item, changed)
            if problem:
                raise InputError(problem)
            verdict = EDIT if changed else ACCEPT
        return ReviewDecision(item.key, self.reviewer, verdict, changed if verdict == EDIT else {}, note, item.row.id)

    def write_decisions(self, decisions: Iterable[ReviewDecision]) -> None:
        """Append decisions to the file, and read those that others wrote meanwhile."""
        review_decisions.append_decisions(self.file, decisions)
        self.decision_log = review_decisions.read_decisions(self.file)

    def undo(self) -> ReviewItem | None:
        """Undo this reviewer's last decision, and return its row if it is in the queue."""
        last = self.decision_log.find_last_decision(self.reviewer)
        if last is None:
            return None
        self.write_decisions([ReviewDecision(last.row, self.reviewer, UNDO, id=last.id)])
        return next((item for item in self.items if item.key == last.row), None)

    def measure_progress(self) -> ReviewProgress:
        """Return this reviewer's progress in the queue."""
        mine = self._select_own_decisions()
        counts = Counter(mine[item.key].verdict for item in self.items if item.key in mine)
        by_verdict = {verdict: counts[verdict] for verdict in (*DECIDING_VERDICTS, SKIP)}
        return ReviewProgress(counts.total() - counts[SKIP], len(self.items), by_verdict)

    def compute_agreement(self) -> Agreement:
        """Return the agreement of all reviewers on all decided rows."""
        return measure_agreement(self.decision_log.select_final_decisions())

    def _select_own_decisions(self) -> dict[str, ReviewDecision]:
        standing = self.decision_log.find_standing_decisions().items()
        return {row: decisions[self.reviewer] for row, decisions in standing if self.reviewer in decisions}

    def _find_edit_problem(self, item: ReviewItem, answer: Mapping[str, Any]) -> str:
        """Return why an edited answer is invalid (another type, or not one of the choices), or an empty string."""
        if not item.answer:
            return "rows of this task have no editable answer; reject the row instead"
        problem = self.content.find_answer_problem(answer, item.answer)
        if problem or not answer or not self.choices:
            return problem
        target = self.task.render_target(item.row.with_columns(**answer))
        if target in self.choices:
            return ""
        known = f"known: {', '.join(sorted(self.choices)[:12])}"
        hint = suggest_known_name(target, self.choices, otherwise=known)
        return f"{target!r} is not the answer of any other row; {hint}"


def format_editable_value(value: Any) -> str:
    """Return a column as shown for editing: text unchanged, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def parse_edited_value(text: str, original: Any) -> Any:
    """Parse an edited column: text if the original is text, else JSON. Raises InputError for invalid JSON."""
    if isinstance(original, str):
        return text
    try:
        return json.loads(text)
    except ValueError as error:
        raise InputError(f"not JSON: {error}; the original is {format_editable_value(original)[:60]}") from error
