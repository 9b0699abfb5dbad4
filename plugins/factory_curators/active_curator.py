"""Keep the rows whose labels teach most, so that a person, or a teacher, need label no others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from factory.api import Curator, Decision, Row, RowsJob, join_text_columns, select_for_labelling

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class ActiveLearning(Curator):
    """Of all rows, the `count` whose labels would teach most stay: typical ones first, then where a model is unsure.

    Works as if no row had a label until it is chosen, so that it shows what labelling so many would have been worth.
    After each round a logistic regression on the embeddings learns the labels chosen so far.
    """

    kind = "active"

    count: int = Field(ge=2, description="rows that stay")
    rounds: int = Field(4, ge=1, le=100, description="rounds of choosing; after each, the labels chosen are looked at")
    seed: int = Field(7, ge=0, description="seed of the draw of rows to stand for, where there are more than 10,000")
    label: str = Field("label", description="column of the label; a row without one can not be chosen")
    on: list[str] = Field([], description="columns that are embedded; empty for the text of the task")
    model: Literal["embedder", "student"] = Field(
        "embedder", description="whose sentence embeddings: models.embedder or, when it is an encoder, the student"
    )

    def get_required_models(self) -> tuple[str, ...]:
        return ("embedder",) if self.model == "embedder" else ()

    def curate(self, job: RowsJob) -> Iterator[Decision]:
        rows = [row for row in job.rows if row.columns.get(self.label) not in (None, "")]
        chosen: dict[int, str] = {}
        vectors = self._embed_row_texts(job, [self._join_embedded_columns(job, row) for row in rows])
        for done in range(self.rounds):
            due = self.count * (done + 1) // self.rounds - len(chosen)
            new = select_for_labelling(vectors, chosen, due, self.seed) if due > 0 else []
            chosen.update({place: str(rows[place][self.label]) for place in new})
            job.report.report_progress(len(chosen), min(self.count, len(rows)), "rows")
        kept = {rows[place].id for place in chosen}
        labelled = {row.id for row in rows}
        for row in job.rows:
            why = "" if row.id in kept else "others teach more" if row.id in labelled else f"no {self.label}"
            yield Decision(row.id, not why, why)

    def _join_embedded_columns(self, job: RowsJob, row: Row) -> str:
        """What is embedded of a row: never its label."""
        if self.on:
            return join_text_columns(row.columns, self.on)
        if job.task is not None and job.task.text_column:
            return join_text_columns(row.columns, [job.task.text_column])
        return join_text_columns({name: value for name, value in row.columns.items() if name != self.label})

    def _embed_row_texts(self, job: RowsJob, texts: list[str]) -> NDArray[np.float32]:
        return job.kit.embed(job.get_embedding_base(self.model), texts, report=job.report)
