"""What a classifier must beat with the base's own embeddings and no training at all."""

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
"""Share of a label that no neighbour has, so that its logarithm is a number."""
KNN_BLOCK_ROWS = 256


class _EmbeddingBaseline(Contender):
    """Scores labels by cosines between embeddings of the base; the scores become probabilities by a temperature."""

    columns = ("text", "label")
    output_type = "labels"
    default_temperature: ClassVar[float] = 0.05
    """The temperature where there are no validation rows."""

    def answer(self, job: AnswerJob) -> Iterator[Answer]:
        import numpy as np

        labels = job.task.list_choices(job.train)
        parts = (job.train, job.validation, job.rows)
        embedded = job.kit.embed(
            job.base, [text for part in parts for text in render_row_texts(job.task, part)], report=job.report
        )
        train, tried, asked = np.split(embedded, np.cumsum([len(part) for part in parts[:-1]]))
        owners = np.array(find_label_indices(job.task, job.train, labels))
        right = np.array(find_label_indices(job.task, job.validation, labels), dtype=np.int64)
        scores, chosen = self.score_labels(train, owners, len(labels), tried, right, asked)
        known = right >= 0
        temperature = fit_temperature(scores[0][known], right[known]) if known.any() else self.default_temperature
        job.record_facts(temperature=round(temperature, 4), **chosen)
        for row, each in zip(job.rows, compute_softmax(scores[1] / temperature), strict=True):
            yield build_label_answer(row.id, labels, each)

    def score_labels(
        self, train: Vectors, owners: NDArray[np.int64], labels: int, tried: Vectors, right: NDArray[np.int64],
        asked: Vectors,
    ) -> tuple[tuple[Numbers, Numbers], dict[str, int]]:
        """Scores (rows, labels) of validation and test rows, and what was chosen on validation rows."""
        raise NotImplementedError


class Centroid(_EmbeddingBaseline):
    """The label whose training rows lie nearest on average: cosine to the mean of their embeddings."""

    kind = "centroid"

    def score_labels(
        self, train: Vectors, owners: NDArray[np.int64], labels: int, tried: Vectors, right: NDArray[np.int64],
        asked: Vectors,
    ) -> tuple[tuple[Numbers, Numbers], dict[str, int]]:
        import numpy as np

        means = np.stack([train[owners == label].mean(axis=0) for label in range(labels)])
        means = means / np.linalg.norm(means, axis=1, keepdims=True)
        return ((tried @ means.T).astype(np.float64), (asked @ means.T).astype(np.float64)), {}


class Knn(_EmbeddingBaseline):
    """The label of the nearest training rows, each counting the more the nearer it is."""

    kind = "knn"
    default_temperature = 1.0

    neighbours: list[int] = Field([1, 3, 5, 10, 20, 40], min_length=1, description="how many vote; validation picks")
    sharpness: float = Field(10.0, gt=0, description="a neighbour counts by exp(sharpness × cosine)")

    def score_labels(
        self, train: Vectors, owners: NDArray[np.int64], labels: int, tried: Vectors, right: NDArray[np.int64],
        asked: Vectors,
    ) -> tuple[tuple[Numbers, Numbers], dict[str, int]]:
        counts = sorted({min(count, len(train)) for count in self.neighbours})
        worth = []
        for count in counts if len(tried) else ():
            votes = self._compute_log_votes(train, owners, labels, tried, count)
            worth.append(int((votes.argmax(axis=1) == right).sum()))
        chosen = counts[max(range(len(worth)), key=lambda i: worth[i])] if worth else counts[-1]
        both = (self._compute_log_votes(train, owners, labels, part, chosen) for part in (tried, asked))
        first, second = both
        return (first, second), {"neighbours": chosen}

    def _compute_log_votes(
        self, train: Vectors, owners: NDArray[np.int64], labels: int, asked: Vectors, count: int
    ) -> Numbers:
        """The logarithm of each label's share of the votes, (rows, labels)."""
        import numpy as np

        votes = np.zeros((len(asked), labels))
        for start in range(0, len(asked), KNN_BLOCK_ROWS):
            cosines = np.round(asked[start : start + KNN_BLOCK_ROWS] @ train.T, 6)
            nearest = np.argsort(-cosines, axis=1, kind="stable")[:, :count]
            weights = np.exp(self.sharpness * (np.take_along_axis(cosines, nearest, axis=1) - 1))
            for row, (near, weight) in enumerate(zip(nearest, weights, strict=True), start):
                np.add.at(votes[row], owners[near], weight)
        shares: Numbers = votes / np.maximum(votes.sum(axis=1, keepdims=True), 1e-300)
        return np.log(shares + MIN_VOTE_SHARE)


def classify_zero_shot(
    texts: Vectors, names: Vectors, temperature: float = _EmbeddingBaseline.default_temperature
) -> Sequence[Sequence[float]]:
    """Probabilities of labels (rows, labels) by the cosine of a text and a label's own name."""
    import numpy as np

    found: Sequence[Sequence[float]] = compute_softmax((texts @ names.T).astype(np.float64) / temperature).tolist()
    return found
