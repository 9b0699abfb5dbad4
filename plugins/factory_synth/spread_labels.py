"""Labels for texts that have none, from the labelled rows that they are like; no teacher is asked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from factory.api import Fraction, Row, RowsJob, Synthesizer
from factory_synth.label_spreading import DEFAULT_NEIGHBOURS, propagate_labels
from factory_synth.synthesis_common import Tally, get_column_text, prepare_made_rows, report_doubtful_labels
from factory_synth.unlabelled import UnlabelledTexts, build_completed_row, read_unseen_rows


class SpreadLabels(Synthesizer):
    """Gives a label to every text of a file: what spreads to it from labelled rows, from neighbour to neighbour.

    Neighbours are near by their sentence embeddings. A label is doubtful when less than `sure` of what reached the text
    speaks for it: such a row is shown first to a reviewer, or left out. Serves where texts are many, labels few and
    no teacher is at hand: with the 250 labels that `active` chooses, a whole pool is labelled.
    """

    kind = "spread-labels"

    column: str = Field("label", min_length=1, description="column that gets the label")
    texts: UnlabelledTexts = Field(description="the unlabelled texts")
    neighbours: int = Field(DEFAULT_NEIGHBOURS, ge=1, le=200, description="texts to which each passes on what it believes")
    sure: Fraction = Field(0.3, description="share of what reached a text under which its label is doubtful")
    unsure: Literal["review", "drop"] = Field("drop", description="doubtful rows: kept for a reviewer, or left out")
    model: Literal["embedder", "student"] = Field(
        "embedder", description="whose sentence embeddings: models.embedder or, when it is an encoder, the student"
    )

    @property
    def columns(self) -> tuple[str, ...]:  # type: ignore[override]  # known only when the fields are
        """What rows must have."""
        return (self.column,)

    def get_required_models(self) -> tuple[str, ...]:
        return ("embedder",) if self.model == "embedder" else ()

    def synthesize(self, job: RowsJob) -> Iterator[Row]:
        labelled = [row for row in job.rows if str(row[self.column]).strip()]
        tally, column = Tally(), job.task.text_column if job.task else "text"
        texts = list(read_unseen_rows(job, self.texts, self.column, labelled, lambda row: get_column_text(row, column), tally))
        said = [get_column_text(row, column) for row in [*labelled, *texts]]
        vectors = job.kit.embed(job.get_embedding_base(self.model), said, report=job.report)
        known = {place: str(row[self.column]) for place, row in enumerate(labelled)}
        labels, shares = (found[len(labelled) :] for found in propagate_labels(vectors, known, self.neighbours))
        made = [self._build_spread_row(*found) for found in zip(texts, labels, map(float, shares), strict=True)]
        sure = [row for row in made if not row.doubt]
        kept = made if self.unsure == "review" else sure
        tally.made_count = len(kept)
        tally.report_tally(job.report, "labels")
        report_doubtful_labels(job.report, len(made) - len(sure), len(texts), self.unsure)
        yield from prepare_made_rows(job, kept)

    def _build_spread_row(self, row: Row, label: str, share: float) -> Row:
        """The row with its label and how much speaks for it; with a doubt where that is too little."""
        detail = {"share": round(share, 4)}
        new = build_completed_row(self.kind, row, {**row.columns, self.column: label}, detail)
        return new if share >= self.sure else new.with_doubt(f"{share:.0%} of what reached it speaks for the label")
