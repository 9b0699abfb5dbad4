"""Active learning: keep the rows whose labels are worth most, so that only these need to be labelled."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import Field

from factory.api import Curator, Decision, Row, RowsJob, join_text_columns, select_for_labelling
from factory_curators.common import EMBEDDING_MODEL_DESCRIPTION, EmbeddingModel

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class ActiveLearning(Curator):
    """Keeps the `count` rows whose labels are worth most: typical ones first, then those a model is unsure of.

    Labels count as unknown until their rows are chosen, which shows what labelling that many rows is worth. After each
    round, a logistic regression on embeddings is trained on the labels chosen so far.
    """

    kind = "active"

    count: int = Field(ge=2, description="rows to keep")
    rounds: int = Field(4, ge=1, le=100, description="rounds of choosing; the model is retrained after each")
    seed: int = Field(7, ge=0, description="seed of the sample that stands for more than 10,000 rows")
    label: str = Field("label", description="label column; rows without a label are not chosen")
    columns: tuple[str, ...] = Field(  # type: ignore[misc]  # chosen by the spec
        (), description="columns to embed; empty for the text column of the task"
    )
    model: EmbeddingModel = Field("embedder", description=EMBEDDING_MODEL_DESCRIPTION)

    def get_required_models(self) -> tuple[str, ...]:
        return ("embedder",) if self.model == "embedder" else ()

    def curate(self, job: RowsJob) -> Iterator[Decision]:
        rows = [row for row in job.rows if row.columns.get(self.label) not in (None, "")]
        chosen: dict[int, str] = {}
        vectors = self._embed_row_texts(job, [self._join_embedded_columns(job, row) for row in rows])
        for number in range(self.rounds):
            # Cumulative quota, so that rounds of different sizes add up to the count.
            quota = self.count * (number + 1) // self.rounds - len(chosen)
            new = select_for_labelling(vectors, chosen, quota, self.seed) if quota > 0 else []
            chosen.update({place: str(rows[place][self.label]) for place in new})
            job.report.report_progress(len(chosen), min(self.count, len(rows)), "rows")
        chosen_ids = {rows[place].id for place in chosen}
        labelled = {row.id for row in rows}
        for row in job.rows:
            why = "other labels are worth more" if row.id in labelled else f"no {self.label}"
            is_chosen = row.id in chosen_ids
            yield Decision(row.id, is_chosen, "" if is_chosen else why)

    def _join_embedded_columns(self, job: RowsJob, row: Row) -> str:
        """Return the text of a row to embed, without its label."""
        if self.columns:
            return join_text_columns(row.columns, self.columns)
        if job.task is not None and job.task.text_column:
            return join_text_columns(row.columns, [job.task.text_column])
        return join_text_columns({name: value for name, value in row.columns.items() if name != self.label})

    def _embed_row_texts(self, job: RowsJob, texts: list[str]) -> NDArray[np.float32]:
        return job.kit.embed(job.get_embedding_base(self.model), texts, report=job.report)
