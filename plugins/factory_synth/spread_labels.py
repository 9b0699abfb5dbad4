"""Label texts by label propagation from labelled rows; no teacher is needed."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Literal

from pydantic import Field

from factory.api import Fraction, Row, RowsJob, Synthesizer
from factory.api.label_sets import get_single_label
from factory_synth.label_spreading import DEFAULT_NEIGHBOURS, describe_size, propagate_labels
from factory_synth.synthesis_common import Tally, get_column_text, prepare_made_rows, report_doubtful_labels
from factory_synth.unlabelled import UnlabelledTexts, build_completed_row, read_unseen_rows


class SpreadLabels(Synthesizer):
    """Labels every text of a file by propagating the labels of training rows over nearest neighbours.

    Neighbours are found by sentence embeddings. A label with a confidence below `min_confidence` is doubtful: the row
    is queued first for review, or dropped. Useful with many texts, few labels and no teacher: 250 labels chosen by
    `active` are enough to label a whole pool.
    """

    kind = "spread-labels"

    column: str = Field("label", min_length=1, description="column to label")
    texts: UnlabelledTexts = Field(description="file of unlabelled texts")
    neighbours: int = Field(DEFAULT_NEIGHBOURS, ge=1, le=200, description="neighbours to which each text propagates")
    min_confidence: Fraction = Field(0.3, description="share of the propagated mass below which a label is doubtful")
    unsure: Literal["review", "drop"] = Field("drop", description="doubtful rows: keep for review, or drop")
    model: Literal["embedder", "student"] = Field(
        "embedder", description="model of the embeddings: models.embedder, or the student if it is an encoder"
    )

    @property
    def columns(self) -> tuple[str, ...]:  # type: ignore[override]  # known only when the fields are
        return (self.column,)

    def get_required_models(self) -> tuple[str, ...]:
        return ("embedder",) if self.model == "embedder" else ()

    def synthesize(self, job: RowsJob) -> Iterator[Row]:
        labelled = [row for row in job.rows if get_single_label(row, self.column).strip()]
        tally, column = Tally(), job.task.text_column if job.task else "text"
        get_text = partial(get_column_text, column=column)
        texts = list(read_unseen_rows(job, self.texts, self.column, labelled, get_text, tally))
        all_texts = [get_text(row) for row in [*labelled, *texts]]
        known = {index: str(row[self.column]) for index, row in enumerate(labelled)}
        if size := describe_size(len(all_texts), len(set(known.values()))):
            job.report.note(size)
        vectors = job.kit.embed(job.get_embedding_base(self.model), all_texts, report=job.report)
        labels, shares = (values[len(labelled) :] for values in propagate_labels(vectors, known, self.neighbours))
        rows = []
        for row, label, share in zip(texts, labels, map(float, shares), strict=True):
            columns, detail = {**row.columns, self.column: label}, {"share": round(share, 4)}
            new = build_completed_row(self.kind, row, columns, detail)
            is_doubtful = share < self.min_confidence
            rows.append(new.with_doubt(f"confidence of the label {share:.0%}") if is_doubtful else new)
        confident = [row for row in rows if not row.doubt]
        generated = rows if self.unsure == "review" else confident
        tally.report_tally(job.report, "labels", len(generated))
        report_doubtful_labels(job.report, len(rows) - len(confident), len(texts), self.unsure)
        yield from prepare_made_rows(job, generated)
