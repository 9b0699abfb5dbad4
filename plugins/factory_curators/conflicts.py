"""Find rows that give different answers to the same input."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from factory.api import Curator, Decision, Row, RowsJob, join_text_columns, normalise
from factory_curators.common import build_objection, get_row_text, has_labels


class Conflicts(Curator):
    """Drops or flags rows with the same input and different answers. Texts are compared without case and punctuation.

    `drop` removes all of them; `majority` keeps the rows with the most frequent answer, if there is a single one;
    `flag` keeps all for review.
    """

    kind = "conflicts"
    version = 3
    share_metric = "conflicts"

    input_columns: list[str] = Field([], description="columns of the input; empty for the text column of the task")
    answer_columns: list[str] = Field([], description="columns of the answer; empty for the target of the task")
    action: Literal["drop", "majority", "flag"] = Field("drop", description="what to do with rows that disagree")

    @property
    def columns(self) -> tuple[str, ...]:  # type: ignore[override]  # known only when the fields are
        return (*self.input_columns, *self.answer_columns)

    def curate(self, job: RowsJob) -> Iterator[Decision]:
        inputs: defaultdict[str, list[int]] = defaultdict(list)
        for index, row in enumerate(job.rows):
            if text := normalise(get_row_text(row, job, self.input_columns)):
                inputs[text].append(index)
        answers = [self._read_compared_answer(row, job) for row in job.rows]
        exactly = not self.answer_columns and has_labels(job.task)
        compared = answers if exactly else [normalise(answer) for answer in answers]
        conflicts: dict[int, tuple[str, int]] = {}
        for group in inputs.values():
            if len({compared[index] for index in group}) > 1:
                conflicts.update(self._explain_conflicts(group, answers, compared))
        for index, row in enumerate(job.rows):
            if index in conflicts:
                why, twin = conflicts[index]
                yield build_objection(row, why, "flag" if self.action == "flag" else "drop", job.rows[twin].id)
            else:
                yield Decision(row.id, True)

    def _explain_conflicts(
        self, group: list[int], answers: list[str], compared: list[str]
    ) -> Iterator[tuple[int, tuple[str, int]]]:
        """Yield row → (reason, row with another answer) for the rows of one input."""
        counts = Counter(compared[index] for index in group)
        (first, first_count), (_, second_count) = counts.most_common(2)
        for index in group:
            answer = compared[index]
            if self.action == "majority" and first_count > second_count and answer == first:
                continue
            twin = next(other for other in group if compared[other] != answer)
            here, there = (_shorten_answer(answers[row]) for row in (index, twin))
            yield index, (f"same input, different answers: {here} here, {there} there", twin)

    def _read_compared_answer(self, row: Row, job: RowsJob) -> str:
        if self.answer_columns:
            return join_text_columns(row.columns, self.answer_columns)
        if job.task is None or "target" not in job.task.get_templates():
            raise ValueError("the task has no target to compare; set `answer_columns`")
        return job.task.render_target(row)


def _shorten_answer(answer: str) -> str:
    return repr(answer if len(answer) <= 40 else f"{answer[:39]}…")
