"""What a classifier must beat without any model: the commonest label, and a linear model over words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import Field

from factory.api import Answer, AnswerJob, Contender, Row, Task, render
from factory_classify.calibration import fit_temperature
from factory_classify.label_answers import build_label_answer, compute_softmax


def render_row_texts(task: Task, rows: Sequence[Row]) -> list[str]:
    """The text of each row as every contender reads it."""
    template = task.get_templates()["text"]
    return [render(template, row.columns) for row in rows]


def find_label_indices(task: Task, rows: Sequence[Row], labels: Sequence[str]) -> list[int]:
    """The place of each row's label among these; -1 where it is none of them."""
    at = {label: place for place, label in enumerate(labels)}
    return [at.get(task.render_target(row), -1) for row in rows]


class Majority(Contender):
    """Gives every text the shares of the labels in the training rows."""

    kind = "majority"
    columns = ("label",)
    output_type = "labels"

    def answer(self, job: AnswerJob) -> Iterator[Answer]:
        labels = job.task.list_choices(job.train)
        counts = Counter(find_label_indices(job.task, job.train, labels))
        shares = [counts[place] / len(job.train) for place in range(len(labels))]
        yield from (build_label_answer(row.id, labels, shares) for row in job.rows)


class TfIdf(Contender):
    """A linear support vector machine over TF-IDF of words, pairs of words and pieces of words, sublinear, both
    halves scaled alike; its margins become probabilities by a temperature fitted on validation rows.
    """

    kind = "tfidf"
    columns = ("text", "label")
    output_type = "labels"

    strength: list[float] = Field([0.1, 0.3, 1.0, 3.0], min_length=1, description="C of the machine; validation picks")
    words: int = Field(2, ge=1, le=3, description="longest run of words that is one feature")
    pieces: int = Field(5, ge=2, le=8, description="longest piece of a word that is one feature, from 2 letters on")

    def answer(self, job: AnswerJob) -> Iterator[Answer]:
        labels = job.task.list_choices(job.train)
        if len(labels) < 2:
            yield from (build_label_answer(row.id, labels, [1.0]) for row in job.rows)
            return
        right = find_label_indices(job.task, job.validation, labels)
        known = [place >= 0 for place in right]
        features = self._build_tfidf_features()
        train = features.fit_transform(render_row_texts(job.task, job.train))
        tried = features.transform(render_row_texts(job.task, job.validation)) if any(known) else None
        model, strength = self._select_svm(train, find_label_indices(job.task, job.train, labels), tried, right)
        temperature = 1.0
        if tried is not None:
            import numpy as np

            margins = _compute_margins(model, tried)
            temperature = fit_temperature(margins[known], np.array(right)[known])
        job.record_facts(strength=strength, temperature=round(temperature, 4), features=int(train.shape[1]))
        probabilities = compute_softmax(
            _compute_margins(model, features.transform(render_row_texts(job.task, job.rows))) / temperature
        )
        yield from (build_label_answer(row.id, labels, each) for row, each in zip(job.rows, probabilities, strict=True))

    def _build_tfidf_features(self) -> Any:
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.pipeline import FeatureUnion

        words = TfidfVectorizer(ngram_range=(1, self.words), sublinear_tf=True, token_pattern=r"(?u)\b\w+\b")
        pieces = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, self.pieces), sublinear_tf=True)
        return FeatureUnion([("words", words), ("pieces", pieces)])

    def _select_svm(self, train: Any, labels: Sequence[int], tried: Any, right: Sequence[int]) -> tuple[Any, float]:
        """The machine that is most often right on validation rows, of equals the weaker; and its strength."""
        from sklearn.svm import LinearSVC

        strengths = sorted(self.strength) if tried is not None else [1.0]
        models = [LinearSVC(C=strength, random_state=0).fit(train, labels) for strength in strengths]
        if tried is None:
            return models[0], strengths[0]
        hits = [sum(model.predict(tried) == right) for model in models]
        best = max(range(len(models)), key=lambda i: (hits[i], -i))
        return models[best], strengths[best]


def _compute_margins(model: Any, features: Any) -> Any:
    """A column for each label; of two labels a machine gives the second one's alone."""
    import numpy as np

    margins = model.decision_function(features)
    return np.stack([-margins, margins], axis=1) if margins.ndim == 1 else margins
