"""Baselines of classifiers without a language model: label frequencies, and a linear model on TF-IDF."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import Field

from factory.api import Answer, AnswerJob, Contender, Row, Task, render
from factory.api.label_sets import LABEL_SETS
from factory_classify.calibration import choose_temperature
from factory_classify.label_answers import build_label_answer, compute_softmax

if TYPE_CHECKING:
    from factory_classify.label_answers import Indices


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

    A temperature fitted on validation rows, which are then trained on too, converts margins to probabilities.
    """

    kind = "tfidf"
    version = 3
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
        import numpy as np

        owners, right = (np.array(find_label_indices(job.task, rows, labels), dtype=np.int64)
                         for rows in (job.train, job.validation))
        texts = render_row_texts(job.task, job.train)
        unseen = [text for text, label in zip(render_row_texts(job.task, job.validation), right, strict=True)
                  if label >= 0]
        right = right[right >= 0]
        c, temperature = self._choose_strength((texts, owners), (unseen, right))
        # Validation rows have chosen; now they are rows with a label like the others.
        features = self._build_tfidf_features()
        table = features.fit_transform([*texts, *unseen])
        model = self._fit_svm(table, np.concatenate([owners, right]), c)
        job.record_facts(strength=c, temperature=round(temperature, 4), features=int(table.shape[1]))
        margins = _compute_margins(model, features.transform(render_row_texts(job.task, job.rows)))
        for row, probabilities in zip(job.rows, compute_softmax(margins / temperature), strict=True):
            yield build_label_answer(row.id, labels, probabilities)

    def _build_tfidf_features(self) -> Any:
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.pipeline import FeatureUnion

        words = TfidfVectorizer(ngram_range=(1, self.max_word_ngram), sublinear_tf=True, token_pattern=r"(?u)\b\w+\b")
        pieces = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, self.max_char_ngram), sublinear_tf=True)
        return FeatureUnion([("words", words), ("pieces", pieces)])

    def _choose_strength(
        self, train: tuple[Sequence[str], Indices], validation: tuple[Sequence[str], Indices]
    ) -> tuple[float, float]:
        """Return the C with the best accuracy on validation texts, and the temperature there; both are 1 without texts.

        Ties go to the smallest C.
        """
        if not validation[0]:
            return 1.0, 1.0
        features = self._build_tfidf_features()
        table, unseen = features.fit_transform(train[0]), features.transform(validation[0])
        margins = {c: _compute_margins(self._fit_svm(table, train[1], c), unseen) for c in sorted(self.svm_c)}
        best = max(margins, key=lambda c: int((margins[c].argmax(axis=1) == validation[1]).sum()))
        return best, choose_temperature(margins[best], validation[1])[0]

    def _fit_svm(self, table: Any, owners: Indices, c: float) -> Any:
        from sklearn.svm import LinearSVC

        return LinearSVC(C=c, random_state=0).fit(table, owners)


def _compute_margins(model: Any, features: Any) -> Any:
    """Return a column per label; scikit-learn returns only that of the second one for two labels."""
    import numpy as np

    margins = model.decision_function(features)
    return np.stack([-margins, margins], axis=1) if margins.ndim == 1 else margins
