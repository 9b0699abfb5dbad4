"""Baselines of classifiers on embeddings by the untrained base: nearest centroid and k nearest neighbours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from factory.api import Answer, AnswerJob, Contender
from factory_classify.calibration import fit_temperature
from factory_classify.label_answers import build_label_answer, compute_softmax
from factory_classify.lexical_baselines import find_label_indices, render_row_texts

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]
    Numbers = NDArray[np.float64]

MIN_VOTE_SHARE = 1e-3
"""Added to the share of every label, so that its logarithm is finite."""
KNN_BLOCK_ROWS = 256


class _EmbeddingBaseline(Contender):
    """Scores labels by cosines of embeddings by the base model; a temperature converts scores to probabilities."""

    columns = ("text", "label")
    output_type = "labels"
    default_temperature: ClassVar[float] = 0.05
    """Temperature if there are no validation rows."""

    def answer(self, job: AnswerJob) -> Iterator[Answer]:
        import numpy as np

        labels = job.task.list_choices(job.train)
        splits = (job.train, job.validation, job.rows)
        embedded = job.kit.embed(
            job.base, [text for split in splits for text in render_row_texts(job.task, split)], report=job.report
        )
        train, validation, test = np.split(embedded, np.cumsum([len(split) for split in splits[:-1]]))
        owners = np.array(find_label_indices(job.task, job.train, labels))
        right = np.array(find_label_indices(job.task, job.validation, labels), dtype=np.int64)
        scores, chosen = self.score_labels(train, owners, len(labels), validation, right, test)
        known = right >= 0
        temperature = fit_temperature(scores[0][known], right[known]) if known.any() else self.default_temperature
        job.record_facts(temperature=round(temperature, 4), **chosen)
        for row, probabilities in zip(job.rows, compute_softmax(scores[1] / temperature), strict=True):
            yield build_label_answer(row.id, labels, probabilities)

    def score_labels(
        self, train: Vectors, owners: NDArray[np.int64], labels: int, validation: Vectors, right: NDArray[np.int64],
        test: Vectors,
    ) -> tuple[tuple[Numbers, Numbers], dict[str, int]]:
        """Return scores (rows, labels) of validation and test rows, and the settings chosen on validation rows."""
        raise NotImplementedError


class Centroid(_EmbeddingBaseline):
    """Nearest centroid: cosine with the mean embedding of the training rows of each label."""

    kind = "centroid"

    def score_labels(
        self, train: Vectors, owners: NDArray[np.int64], labels: int, validation: Vectors, right: NDArray[np.int64],
        test: Vectors,
    ) -> tuple[tuple[Numbers, Numbers], dict[str, int]]:
        import numpy as np

        means = np.stack([train[owners == label].mean(axis=0) for label in range(labels)])
        means = means / np.linalg.norm(means, axis=1, keepdims=True)
        return ((validation @ means.T).astype(np.float64), (test @ means.T).astype(np.float64)), {}


class Knn(_EmbeddingBaseline):
    """k nearest neighbours: vote of the most similar training rows, weighted by similarity."""

    kind = "knn"
    default_temperature = 1.0

    neighbours: list[int] = Field(
        [1, 3, 5, 10, 20, 40], min_length=1, description="numbers of neighbours to try on validation rows"
    )
    inverse_temperature: float = Field(10.0, gt=0, description="neighbours weigh exp(inverse_temperature × cosine)")

    def score_labels(
        self, train: Vectors, owners: NDArray[np.int64], labels: int, validation: Vectors, right: NDArray[np.int64],
        test: Vectors,
    ) -> tuple[tuple[Numbers, Numbers], dict[str, int]]:
        counts = sorted({min(count, len(train)) for count in self.neighbours})
        hits = []
        for count in counts if len(validation) else ():
            votes = self._compute_log_votes(train, owners, labels, validation, count)
            hits.append(int((votes.argmax(axis=1) == right).sum()))
        chosen = counts[max(range(len(hits)), key=lambda i: hits[i])] if hits else counts[-1]
        both = (self._compute_log_votes(train, owners, labels, part, chosen) for part in (validation, test))
        validation_scores, test_scores = both
        return (validation_scores, test_scores), {"neighbours": chosen}

    def _compute_log_votes(
        self, train: Vectors, owners: NDArray[np.int64], labels: int, queries: Vectors, count: int
    ) -> Numbers:
        """Return the logarithm of each label's share of the votes, (rows, labels)."""
        import numpy as np

        votes = np.zeros((len(queries), labels))
        for start in range(0, len(queries), KNN_BLOCK_ROWS):
            cosines = np.round(queries[start : start + KNN_BLOCK_ROWS] @ train.T, 6)
            nearest = np.argsort(-cosines, axis=1, kind="stable")[:, :count]
            # Minus the maximal cosine 1: the factor cancels in the shares, and exp cannot overflow.
            weights = np.exp(self.inverse_temperature * (np.take_along_axis(cosines, nearest, axis=1) - 1))
            for row, (near, weight) in enumerate(zip(nearest, weights, strict=True), start):
                np.add.at(votes[row], owners[near], weight)
        shares: Numbers = votes / np.maximum(votes.sum(axis=1, keepdims=True), 1e-300)
        return np.log(shares + MIN_VOTE_SHARE)


def classify_zero_shot(
    texts: Vectors, names: Vectors, temperature: float = _EmbeddingBaseline.default_temperature
) -> Sequence[Sequence[float]]:
    """Return probabilities (rows, labels) by the cosine of texts and label names."""
    import numpy as np

    cosines = (texts @ names.T).astype(np.float64)
    probabilities: Sequence[Sequence[float]] = compute_softmax(cosines / temperature).tolist()
    return probabilities
