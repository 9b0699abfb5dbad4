"""Rows that give different answers to the same input."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from factory.api import Curator, Decision, Row, RowsJob, join_text_columns, normalise
from factory_curators.common import TEXT_COLUMNS_DESCRIPTION, build_objection, get_row_text


class Conflicts(Curator):
    """Of rows whose inputs are the same and whose answers are not: all go, or those against the majority, or none.

    `majority` drops what most rows of an input contradict, and all of them where no answer has more rows than every
    other. `flag` keeps all, for review.
    """

    kind = "conflicts"
    share_metric = "conflicts"

    on: list[str] = Field([], description=TEXT_COLUMNS_DESCRIPTION)
    answer: list[str] = Field([], description="columns of the answer; empty for what the task holds for its target")
    action: Literal["drop", "majority", "flag"] = Field("drop", description="what becomes of rows that disagree")

    @property
    def columns(self) -> tuple[str, ...]:  # type: ignore[override]  # known only when the fields are
        return (*self.on, *self.answer)

    def curate(self, job: RowsJob) -> Iterator[Decision]:
        inputs: defaultdict[str, list[int]] = defaultdict(list)
        for place, row in enumerate(job.rows):
            if normal := normalise(get_row_text(row, job, self.on)):
                inputs[normal].append(place)
        answers = [self._read_compared_answer(row, job) for row in job.rows]
        said: dict[int, tuple[str, int]] = {}
        for places in inputs.values():
            if len({normalise(answers[place]) for place in places}) > 1:
                said.update(self._explain_conflicts(places, answers))
        for place, row in enumerate(job.rows):
            if place not in said:
                yield Decision(row.id, True)
                continue
            why, twin = said[place]
            yield build_objection(row, why, "flag" if self.action == "flag" else "drop", job.rows[twin].id)

    def _explain_conflicts(self, places: list[int], answers: list[str]) -> Iterator[tuple[int, tuple[str, int]]]:
        """Place → why it is objected to, and the place of a row that says otherwise."""
        counts = Counter(normalise(answers[place]) for place in places)
        (first, most), (_, second) = counts.most_common(2)
        for place in places:
            mine = normalise(answers[place])
            if self.action == "majority" and most > second and mine == first:
                continue
            other = next(each for each in places if normalise(answers[each]) != mine)
            said = f"answered {_shorten_answer(answers[place])} here, {_shorten_answer(answers[other])} there"
            yield place, (f"the same input, {said}", other)

    def _read_compared_answer(self, row: Row, job: RowsJob) -> str:
        if self.answer:
            return join_text_columns(row.columns, self.answer)
        if job.task is None or "target" not in job.task.get_templates():
            raise ValueError("the task has no target to compare: name the columns of the answer")
        return job.task.render_target(row)


def _shorten_answer(answer: str) -> str:
    return repr(answer if len(answer) <= 40 else f"{answer[:39]}…")
