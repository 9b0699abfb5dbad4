"""Rows whose label the other rows contradict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, Literal

from pydantic import Field

from factory.api import Curator, Decision, Fraction, RowsJob, join_text_columns
from factory_curators.common import TEXT_COLUMNS_DESCRIPTION, Action, build_objection, get_row_text
from factory_curators.confident_learning import LabelIssue, find_label_issues, predict_out_of_fold, vectorise_words


class LabelNoise(Curator):
    """Finds labels that a classifier which did not see the row is sure are others: confident learning.

    Out-of-fold logistic regression on sentence embeddings or on TF-IDF (Northcutt et al. 2021, arXiv:1911.00068). Of
    the rows that its confident joint suspects, those go whose other label is by `threshold` more probable.
    """

    kind = "label-noise"
    share_metric = "label_noise"

    label: str = Field("label", description="the column that is doubted")
    features: Literal["embedder", "student", "words"] = Field(
        "words", description="sentence embeddings of a model or, without one, TF-IDF of words"
    )
    folds: int = Field(5, ge=2, le=20, description="parts that rows are cut into; each is judged by the others")
    threshold: Fraction = Field(0.5, description="by how much more probable another label must be")
    action: Action = Field("flag", description="drop such rows, or keep them flagged for review")
    on: list[str] = Field([], description=TEXT_COLUMNS_DESCRIPTION)

    @property
    def columns(self) -> tuple[str, ...]:  # type: ignore[override]  # known only when the fields are
        return (self.label, *self.on)

    def get_required_models(self) -> tuple[str, ...]:
        return ("embedder",) if self.features == "embedder" else ()

    def curate(self, job: RowsJob) -> Iterator[Decision]:
        labels = [join_text_columns(row.columns, [self.label]) for row in job.rows]
        if min(len(labels) - 1, len(set(labels))) < 2 or max(Counter(labels).values()) < self.folds:
            job.report.note(f"label-noise: {len(labels)} rows of {len(set(labels))} labels are too few to judge")
            return
        texts = [get_row_text(row, job, self.on) for row in job.rows]
        features, folds = self._compute_label_features(texts, job), partial(job.report.report_progress, unit="folds")
        probabilities, names = predict_out_of_fold(features, labels, self.folds, job.seed, folds)
        found = {s.place: s for s in find_label_issues(probabilities, labels, names) if s.margin >= self.threshold}
        for place, row in enumerate(job.rows):
            suspect = found.get(place)
            yield build_objection(
                row, _describe_label_issue(suspect, labels[place]), self.action
            ) if suspect else Decision(row.id, True)

    def _compute_label_features(self, texts: Sequence[str], job: RowsJob) -> Any:
        if self.features == "words":
            return vectorise_words(texts)
        return job.kit.embed(job.get_embedding_base(self.features), texts, job.report)


def _describe_label_issue(suspect: LabelIssue, label: str) -> str:
    return (
        f"{label!r} is doubted: {suspect.suggested_label!r} is likelier ({suspect.suggested_probability:.2f} to "
        f"{suspect.given_probability:.2f})"
    )
