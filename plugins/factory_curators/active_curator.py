"""Active learning: keep the rows whose labels are worth most, so that only these need to be labelled."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from factory.api import Decision, RowsJob, join_text_columns, select_for_labelling
from factory.api.label_sets import get_single_label
from factory_curators.common import EmbeddingCurator


class ActiveLearning(EmbeddingCurator):
    """Keeps the `count` rows whose labels are worth most: typical ones first, then those a model is unsure of.

    Labels count as unknown until their rows are chosen, which shows what labelling that many rows is worth. After each
    round, a logistic regression on embeddings is trained on the labels chosen so far.
    """

    kind = "active"

    count: int = Field(ge=2, description="rows to keep")
    rounds: int = Field(4, ge=1, le=100, description="rounds of choosing; the model is retrained after each")
    seed: int = Field(7, ge=0, description="seed of the sample that is drawn from more than 10,000 rows")
    label: str = Field("label", description="label column; rows without a label are not chosen")
    text_columns: tuple[str, ...] = Field((), description="columns to embed; empty for the text column of the task")

    def curate(self, job: RowsJob) -> Iterator[Decision]:
        rows = [row for row in job.rows if row.columns.get(self.label) not in (None, "")]
        task_column = job.task.text_column if job.task else ""
        names = self.text_columns or ((task_column,) if task_column else ())
        # Without named columns all texts are embedded, except the label: it counts as unknown.
        hidden = () if names else (self.label,)
        texts = [
            join_text_columns({name: value for name, value in row.columns.items() if name not in hidden}, names)
            for row in rows
        ]
        vectors = job.kit.embed(job.get_embedding_base(self.model), texts, report=job.report)
        chosen: dict[int, str] = {}
        for number in range(self.rounds):
            # Cumulative quota, so that rounds of different sizes add up to the count.
            quota = self.count * (number + 1) // self.rounds - len(chosen)
            new = select_for_labelling(vectors, chosen, quota, self.seed) if quota > 0 else []
            chosen.update({index: get_single_label(rows[index], self.label) for index in new})
            job.report.report_progress(len(chosen), min(self.count, len(rows)), "rows")
        chosen_ids, labelled_ids = {rows[index].id for index in chosen}, {row.id for row in rows}
        for row in job.rows:
            why = "labels of other rows are worth more" if row.id in labelled_ids else f"has no {self.label}"
            is_chosen = row.id in chosen_ids
            yield Decision(row.id, is_chosen, "" if is_chosen else why)
