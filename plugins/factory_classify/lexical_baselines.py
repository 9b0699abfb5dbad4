"""Baselines of classifiers without a language model: label frequencies, and a linear model on TF-IDF."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import Field

from factory.api import Answer, AnswerJob, Contender, Row, Task, render
from factory.api.label_sets import LABEL_SETS
from factory_classify.calibration import choose_temperature
from factory_classify.label_answers import build_label_answer, compute_softmax


def render_row_texts(task: Task, rows: Sequence[Row]) -> list[str]:
    """Return the rendered text of each row, as every contender reads it."""
    template = task.get_templates()["text"]
    return [render(template, row.columns) for row in rows]


def find_label_indices(task: Task, rows: Sequence[Row], labels: Sequence[str]) -> list[int]:
    """Return the index of each row's label; -1 for an unknown one."""
    indices = {label: index for index, label in enumerate(labels)}
    return [indices.get(task.render_target(row), -1) for row in rows]


class Majority(Contender):
    """Predicts the label frequencies of the training rows for every text."""

    kind = "majority"
    columns = ("label",)
    output_type = "labels"
    further_output_types = (LABEL_SETS,)

    def answer(self, job: AnswerJob) -> Iterator[Answer]:
        if job.task.output_type == LABEL_SETS:
            from factory_classify.multi_label_baselines import answer_by_majority

            yield from answer_by_majority(job)
            return
        labels = job.task.list_choices(job.train)
        counts = Counter(find_label_indices(job.task, job.train, labels))
        shares = [counts[index] / len(job.train) for index in range(len(labels))]
        yield from (build_label_answer(row.id, labels, shares) for row in job.rows)


class TfIdf(Contender):
    """Linear support vector machine on sublinear TF-IDF of word and character n-grams.

    A temperature fitted on validation rows converts margins to probabilities.
    """

    kind = "tfidf"
    version = 2
    columns = ("text", "label")
    output_type = "labels"
    further_output_types = (LABEL_SETS,)

    svm_c: list[float] = Field([0.1, 0.3, 1.0, 3.0], min_length=1, description="values of C to try on validation rows")
    max_word_ngram: int = Field(2, ge=1, le=3, description="longest word n-gram")
    max_char_ngram: int = Field(5, ge=2, le=8, description="longest character n-gram within words; the shortest is 2")

    def answer(self, job: AnswerJob) -> Iterator[Answer]:
        if job.task.output_type == LABEL_SETS:
            from factory_classify.multi_label_baselines import answer_by_tfidf

            yield from answer_by_tfidf(job, self._build_tfidf_features(), self.svm_c)
            return
        labels = job.task.list_choices(job.train)
        if len(labels) < 2:
            yield from (build_label_answer(row.id, labels, [1.0]) for row in job.rows)
            return
        right = find_label_indices(job.task, job.validation, labels)
        known = [index >= 0 for index in right]
        features = self._build_tfidf_features()
        train = features.fit_transform(render_row_texts(job.task, job.train))
        validation = features.transform(render_row_texts(job.task, job.validation)) if any(known) else None
        model, c = self._select_svm(train, find_label_indices(job.task, job.train, labels), validation, right)
        temperature = 1.0
        if validation is not None:
            import numpy as np

            margins = _compute_margins(model, validation)
            temperature, _ = choose_temperature(margins[known], np.array(right)[known])
        job.record_facts(strength=c, temperature=round(temperature, 4), features=int(train.shape[1]))
        margins = _compute_margins(model, features.transform(render_row_texts(job.task, job.rows)))
        for row, probabilities in zip(job.rows, compute_softmax(margins / temperature), strict=True):
            yield build_label_answer(row.id, labels, probabilities)

    def _build_tfidf_features(self) -> Any:
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.pipeline import FeatureUnion

        words = TfidfVectorizer(ngram_range=(1, self.max_word_ngram), sublinear_tf=True, token_pattern=r"(?u)\b\w+\b")
        pieces = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, self.max_char_ngram), sublinear_tf=True)
        return FeatureUnion([("words", words), ("pieces", pieces)])

    def _select_svm(
        self, train: Any, labels: Sequence[int], validation: Any, right: Sequence[int]
    ) -> tuple[Any, float]:
        """Return the model with the best validation accuracy and its C; ties go to the smallest C."""
        from sklearn.svm import LinearSVC

        models = {c: LinearSVC(C=c, random_state=0).fit(train, labels)
                  for c in (sorted(self.svm_c) if validation is not None else [1.0])}
        best = 1.0 if validation is None else max(models, key=lambda c: sum(models[c].predict(validation) == right))
        return models[best], best


def _compute_margins(model: Any, features: Any) -> Any:
    """Return a column per label; scikit-learn returns only that of the second one for two labels."""
    import numpy as np

    margins = model.decision_function(features)
    return np.stack([-margins, margins], axis=1) if margins.ndim == 1 else margins
