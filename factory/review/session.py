"""One reviewer's sitting: which rows wait, what each looks like, and where decisions go. Knows no terminal."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from factory.api import Row, Tables, Task
from factory.data.review_decisions import (
    ACCEPT,
    DECIDING_VERDICTS,
    EDIT,
    REJECT,
    SKIP,
    UNDO,
    DecisionLog,
    ReviewDecision,
    append_decisions,
    read_decisions,
)
from factory.errors import InputError
from factory.review.agreement import Agreement
from factory.review.agreement import measure_agreement as agree
from factory.review.row_content import RowContent
from factory.review.stratified_sampling import Stratifier, draw_stratified_keys

MAX_ITEM_LETTERS = 2000
"""Letters of a row that are shown when its task can not show it."""


@dataclass(frozen=True, slots=True)
class ReviewItem:
    """One row of the queue. `key` is the digest of its content; nothing here says who made it."""

    key: str
    inputs: Mapping[str, Any]
    answer: Mapping[str, Any]
    row: Row = field(repr=False)


def build_review_queue(rows: Sequence[Row], content: RowContent, count: int, seed: int) -> list[ReviewItem]:
    """At most `count` rows to show, in their order: the same for every reviewer, so that two can be compared."""
    strata = Stratifier(rows, content)
    by_key = {}
    first: dict[str, int] = {}
    for place, row in enumerate(rows):
        key = content.compute_content_digest(row)
        if first.setdefault(key, place) == place:
            by_key[key] = strata.assign_stratum(row)
    chosen = draw_stratified_keys(by_key, count, seed)
    return [ReviewItem(key, content.select_inputs(row), content.select_answer(row), row)
            for key, row in ((key, rows[first[key]]) for key in chosen)]


def compute_sample_size(rows: int, share: float) -> int:
    """How many rows a share of them is, rounded up."""
    return min(rows, math.ceil(round(rows * share, 9)))


@dataclass(frozen=True, slots=True)
class ReviewProgress:
    """How far a reviewer is: rows decided, accepted, rejected, edited and put off, of all that are asked."""

    decided: int
    total: int
    counts: Mapping[str, int]


@dataclass
class ReviewSession:
    """The rows that one reviewer is asked about, and the file that their decisions go to."""

    file: Path
    reviewer: str
    items: Sequence[ReviewItem]
    task: Task
    tables: Tables
    content: RowContent
    choices: frozenset[str] = frozenset()
    decision_log: DecisionLog = field(default_factory=DecisionLog)

    def __post_init__(self) -> None:
        self.decision_log = read_decisions(self.file)

    def list_waiting_items(self) -> list[ReviewItem]:
        """Rows that this reviewer has not decided; those they put off come last."""
        mine = self._select_own_decisions()
        fresh = [item for item in self.items if item.key not in mine]
        later = [item for item in self.items if item.key in mine and mine[item.key].verdict == SKIP]
        return [*fresh, *later]

    def find_decision(self, item: ReviewItem) -> ReviewDecision | None:
        """What this reviewer said of a row, if anything."""
        return self._select_own_decisions().get(item.key)

    def show(self, item: ReviewItem) -> str:
        """The row as its task shows it; as plain columns when that fails."""
        try:
            return self.task.describe_row(item.row, self.tables, None)
        except Exception:  # a stranger's task must not end a sitting
            said = {**item.inputs, **item.answer}
            return "\n".join(
                f"{name}: {format_editable_value(value)}" for name, value in said.items()
            )[:MAX_ITEM_LETTERS]

    def record_decision(
        self, item: ReviewItem, verdict: str, answer: Mapping[str, Any] | None = None, note: str = ""
    ) -> ReviewDecision:
        """Write a decision, on the disk when this returns. Raises InputError when an edited answer can not be one."""
        word = self.build_decision(item, verdict, answer, note)
        self.write_decisions([word])
        return word

    def build_decision(
        self, item: ReviewItem, verdict: str, answer: Mapping[str, Any] | None = None, note: str = ""
    ) -> ReviewDecision:
        """The decision that would be written. An edit that changes nothing accepts."""
        if verdict not in (*DECIDING_VERDICTS, SKIP):
            raise InputError(f"no such decision: {verdict!r}; there are {', '.join((*DECIDING_VERDICTS, SKIP))}")
        changed = {name: value for name, value in (answer or {}).items() if item.answer.get(name) != value}
        if verdict == EDIT:
            problem = self._find_edit_problem(item, changed)
            if problem:
                raise InputError(problem)
            verdict = EDIT if changed else ACCEPT
        return ReviewDecision(item.key, self.reviewer, verdict, changed if verdict == EDIT else {}, note, item.row.id)

    def write_decisions(self, words: Iterable[ReviewDecision]) -> None:
        """Append words to the file, and take in what others wrote meanwhile."""
        append_decisions(self.file, words)
        self.decision_log = read_decisions(self.file)

    def undo(self) -> ReviewItem | None:
        """Take this reviewer's last word back; the row it was about, when it is one of the queue."""
        last = self.decision_log.find_last_decision(self.reviewer)
        if last is None:
            return None
        self.write_decisions([ReviewDecision(last.row, self.reviewer, UNDO, id=last.id)])
        return next((item for item in self.items if item.key == last.row), None)

    def measure_progress(self) -> ReviewProgress:
        """How far this reviewer is with what they are asked."""
        mine, asked = self._select_own_decisions(), {item.key for item in self.items}
        counts = Counter(word.verdict for key, word in mine.items() if key in asked)
        return ReviewProgress(sum(counts[v] for v in DECIDING_VERDICTS), len(self.items),
                        {name: counts[name] for name in (ACCEPT, REJECT, EDIT, SKIP)})

    def compute_agreement(self) -> Agreement:
        """Of all reviewers, over everything that was decided."""
        return agree(self.decision_log.select_final_decisions())

    def _select_own_decisions(self) -> dict[str, ReviewDecision]:
        return {
            row: words[self.reviewer] for row,
            words in self.decision_log.find_standing_decisions().items() if self.reviewer in words
        }

    def _find_edit_problem(self, item: ReviewItem, answer: Mapping[str, Any]) -> str:
        """Why an answer can not stand: of another form, or none of the few that there are."""
        if not item.answer:
            return "the rows of this task have no answer that can be edited; reject the row instead"
        problem = self.content.find_answer_problem(answer, item.answer)
        if problem or not answer or not self.choices:
            return problem
        said = self.task.render_target(item.row.with_columns(**answer))
        if said in self.choices:
            return ""
        import difflib

        near = difflib.get_close_matches(said, self.choices, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(sorted(self.choices)[:12])}"
        return f"{said!r} is no answer of the other rows; {hint}"


def format_editable_value(value: Any) -> str:
    """A column as a person edits it: text as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def parse_edited_value(written: str, like: Any) -> Any:
    """What a person wrote for a value that was like this. Raises InputError when it is no JSON where that is wanted."""
    if isinstance(like, str):
        return written
    try:
        return json.loads(written)
    except ValueError as error:
        raise InputError(f"not JSON, as {format_editable_value(like)[:60]} is: {error}") from error
