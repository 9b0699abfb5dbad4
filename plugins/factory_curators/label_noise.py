"""Find rows whose label is probably wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import partial
from typing import Literal

from pydantic import Field

from factory.api import Decision, Fraction, RowsJob
from factory.api.label_sets import get_single_label
from factory_curators.common import Action, TextCurator, build_objection, get_row_text
from factory_curators.confident_learning import find_label_issues, predict_out_of_fold, vectorise_words


class LabelNoise(TextCurator):
    """Flags labels that out-of-fold predictions contradict (confident learning).

    Logistic regression on sentence embeddings or TF-IDF (Northcutt et al. 2021, arXiv:1911.00068). Of the rows off the
    diagonal of the confident joint, those are flagged whose other label is more probable by at least `threshold`.
    """

    kind = "label-noise"
    share_metric = "label_noise"

    label: str = Field("label", description="label column")
    features: Literal["embedder", "student", "words"] = Field(
        "words", description="features: sentence embeddings of a model, or TF-IDF of words"
    )
    folds: int = Field(5, ge=2, le=20, description="cross-validation folds")
    threshold: Fraction = Field(0.5, description="minimum lead in probability of another label over the given one")
    action: Action = Field("flag", description="drop such rows, or keep them flagged for review")

    @property
    def columns(self) -> tuple[str, ...]:  # type: ignore[override]  # known only when the fields are
        return (self.label, *self.text_columns)

    def get_required_models(self) -> tuple[str, ...]:
        return ("embedder",) if self.features == "embedder" else ()

    def curate(self, job: RowsJob) -> Iterator[Decision]:
        labels = [get_single_label(row, self.label) for row in job.rows]
        if min(len(labels) - 1, len(set(labels))) < 2 or max(Counter(labels).values()) < self.folds:
            job.report.note(f"label-noise: skipped, too few rows ({len(labels)}) or labels ({len(set(labels))})")
            return
        texts = [get_row_text(row, job, self.text_columns) for row in job.rows]
        features = (
            vectorise_words(texts) if self.features == "words"
            else job.kit.embed(job.get_embedding_base(self.features), texts, job.report)
        )
        progress = partial(job.report.report_progress, unit="folds")
        probabilities, names = predict_out_of_fold(features, labels, self.folds, job.seed, progress)
        issues = {issue.row: issue for issue in find_label_issues(probabilities, labels, names)}
        for index, row in enumerate(job.rows):
            issue = issues.get(index)
            if issue is None or issue.margin < self.threshold:
                yield Decision(row.id, True)
                continue
            numbers = f"({issue.suggested_probability:.2f} vs {issue.given_probability:.2f})"
            why = f"label {labels[index]!r} is doubtful: {issue.suggested_label!r} is more probable {numbers}"
            yield build_objection(row, why, self.action)
