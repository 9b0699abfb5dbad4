"""Baselines of classifiers on embeddings by the untrained base: nearest centroid, neighbours, logistic regression."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from factory.api import Answer, AnswerJob, DeployableContender, Objective, Task, TrainResult
from factory.api.label_sets import LABEL_SETS
from factory_classify.calibration import choose_temperature
from factory_classify.frozen_base_head import FrozenBaseHead, write_frozen_head
from factory_classify.label_answers import build_label_answer, compute_softmax
from factory_classify.labelled_vectors import LabelledVectors
from factory_classify.lexical_baselines import find_label_indices, render_row_texts
from factory_classify.logistic_head import (
    INVERSE_PENALTIES,
    LogisticHead,
    choose_inverse_penalty,
    fit_logistic_head,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from factory_classify.label_answers import Indices, Numbers

    Vectors = NDArray[np.float32]
    LabelScorer = Callable[[Vectors], Numbers]

MIN_VOTE_SHARE = 1e-3
"""Added to the share of every label, so that its logarithm is finite."""
KNN_BLOCK_ROWS = 256


@dataclass(frozen=True, slots=True)
class LabelledRows:
    """Embeddings of training rows and of validation rows with a known label, those of further rows, and the labels."""

    labels: tuple[str, ...]
    train: LabelledVectors
    validation: LabelledVectors
    further: Vectors


class _EmbeddingBaseline(DeployableContender):
    """Scores labels by cosines of embeddings by the base model; a temperature converts scores to probabilities.

    Settings and temperature are chosen on validation rows, which then count as rows with a label too.
    """

    columns = ("text", "label")
    output_type = "labels"
    further_output_types = (LABEL_SETS,)
    default_temperature: ClassVar[float] = 0.05
    """Temperature if validation rows are missing or say nothing about it."""

    def answer(self, job: AnswerJob) -> Iterator[Answer]:
        if job.task.output_type == LABEL_SETS:
            yield from self.answer_sets(job)
            return
        rows = embed_labelled_rows(job)
        scorer, temperature, settings = self.fit_scorer(rows.train, rows.validation)
        job.record_facts(temperature=round(temperature, 4), **settings)
        for row, probabilities in zip(job.rows, compute_softmax(scorer(rows.further) / temperature), strict=True):
            yield build_label_answer(row.id, rows.labels, probabilities)

    def fit_scorer(
        self, train: LabelledVectors, validation: LabelledVectors
    ) -> tuple[LabelScorer, float, dict[str, Any]]:
        """Return a function from vectors to scores (rows, labels), their temperature, and the settings chosen."""
        settings, temperature = self.choose_settings(train, validation), self.default_temperature
        if len(validation.targets):
            scores = self.build_scorer(train, settings)(validation.vectors)
            temperature, _ = choose_temperature(scores, validation.targets, temperature)
        return self.build_scorer(train.join(validation), settings), temperature, settings

    def choose_settings(self, train: LabelledVectors, validation: LabelledVectors) -> dict[str, Any]:
        """Return the settings that suit the validation rows best, by name; none if there is nothing to choose."""
        return {}

    def build_scorer(self, train: LabelledVectors, settings: Mapping[str, Any]) -> LabelScorer:
        """Return the function from vectors to scores (rows, labels), from rows with a label."""
        raise NotImplementedError

    def answer_sets(self, job: AnswerJob) -> Iterator[Answer]:
        """Answer a task whose rows have several labels."""
        raise NotImplementedError


def embed_labelled_rows(job: AnswerJob) -> LabelledRows:
    """Embed the training rows, the validation rows and the job's own by the untrained base."""
    import numpy as np

    labels = job.task.list_choices(job.train)
    texts = render_row_texts(job.task, [*job.train, *job.validation, *job.rows])
    vectors = job.kit.embed(job.base, texts, report=job.report)
    train, validation, test = np.split(vectors, np.cumsum([len(job.train), len(job.validation)]))
    owners, right = (np.array(find_label_indices(job.task, rows, labels), dtype=np.int64)
                     for rows in (job.train, job.validation))
    unseen = LabelledVectors(validation[right >= 0], right[right >= 0])
    return LabelledRows(labels, LabelledVectors(train, owners), unseen, test)


class _HeadBaseline(_EmbeddingBaseline):
    """A baseline whose scores are a linear layer of the embedding, so that it can be deployed as a head."""

    def find_responder(self, task: Task) -> Objective | None:
        return None if task.output_type == LABEL_SETS else FrozenBaseHead()

    def export_artifact(self, job: AnswerJob, out: Path) -> TrainResult:
        rows = embed_labelled_rows(replace(job, rows=()))
        head, temperature, facts = self.fit_head(rows.train, rows.validation)
        # The temperature is folded into the head: its outputs are the logits of the probabilities.
        folded = LogisticHead(head.weight / temperature, head.bias / temperature)
        write_frozen_head(out, folded, rows.labels, job.base.folder)
        size = folded.weight.size + folded.bias.size
        return TrainResult(0, 0, size, size, {"temperature": round(temperature, 4), **facts}, "head")

    def fit_head(
        self, train: LabelledVectors, validation: LabelledVectors
    ) -> tuple[LogisticHead, float, dict[str, Any]]:
        """Return the linear layer that `fit_scorer` scores by, its temperature, and the settings chosen."""
        raise NotImplementedError


class Centroid(_HeadBaseline):
    """Nearest centroid: cosine with the mean embedding of the training rows of each label."""

    kind = "centroid"
    version = 3

    def build_scorer(self, train: LabelledVectors, settings: Mapping[str, Any]) -> LabelScorer:
        means = compute_label_means(train)
        return lambda vectors: (vectors @ means.T).astype("float64")

    def fit_head(
        self, train: LabelledVectors, validation: LabelledVectors
    ) -> tuple[LogisticHead, float, dict[str, Any]]:
        import numpy as np

        _, temperature, facts = self.fit_scorer(train, validation)
        means = compute_label_means(train.join(validation)).astype("float64")
        return LogisticHead(means, np.zeros(len(means))), temperature, facts

    def answer_sets(self, job: AnswerJob) -> Iterator[Answer]:
        from factory_classify.multi_label_baselines import answer_by_centroid

        return answer_by_centroid(job)


class Knn(_EmbeddingBaseline):
    """k nearest neighbours: vote of the most similar training rows, weighted by similarity."""

    kind = "knn"
    version = 3
    default_temperature = 1.0

    neighbours: list[int] = Field(
        [1, 3, 5, 10, 20, 40], min_length=1, description="numbers of neighbours to try on validation rows"
    )
    inverse_temperature: float = Field(10.0, gt=0, description="neighbours weigh exp(inverse_temperature × cosine)")

    def choose_settings(self, train: LabelledVectors, validation: LabelledVectors) -> dict[str, Any]:
        counts = sorted({min(count, len(train.targets)) for count in self.neighbours})
        if not len(validation.targets):
            return {"neighbours": counts[-1]}

        def count_hits(neighbours: int) -> int:
            scores = self.build_scorer(train, {"neighbours": neighbours})(validation.vectors)
            return int((scores.argmax(axis=1) == validation.targets).sum())

        return {"neighbours": max(counts, key=count_hits)}

    def build_scorer(self, train: LabelledVectors, settings: Mapping[str, Any]) -> LabelScorer:
        return partial(self._compute_log_votes, train.vectors, train.targets, settings["neighbours"])

    def answer_sets(self, job: AnswerJob) -> Iterator[Answer]:
        from factory_classify.multi_label_baselines import answer_by_neighbours

        return answer_by_neighbours(job, self.neighbours, self.inverse_temperature)

    def _compute_log_votes(self, train: Vectors, owners: Indices, count: int, queries: Vectors) -> Numbers:
        """Return the logarithm of each label's share of the votes, (rows, labels)."""
        import numpy as np

        votes = np.zeros((len(queries), owners.max() + 1))
        for start in range(0, len(queries), KNN_BLOCK_ROWS):
            cosines = np.round(queries[start : start + KNN_BLOCK_ROWS] @ train.T, 6)
            nearest = np.argsort(-cosines, axis=1, kind="stable")[:, :count]
            # Minus the largest cosine, 1: the factor cancels out in the shares, and exp cannot overflow.
            weights = np.exp(self.inverse_temperature * (np.take_along_axis(cosines, nearest, axis=1) - 1))
            for row, (near, weight) in enumerate(zip(nearest, weights, strict=True), start):
                np.add.at(votes[row], owners[near], weight)
        shares: Numbers = votes / np.maximum(votes.sum(axis=1, keepdims=True), 1e-300)
        return np.log(shares + MIN_VOTE_SHARE)


class Linear(_HeadBaseline):
    """Logistic regression on training and validation rows; its penalty and temperature follow from cross-validation.

    What an engineer would try in ten lines before any fine-tuning.
    """

    kind = "linear"
    version = 2
    default_temperature = 1.0

    c: list[float] = Field(
        list(INVERSE_PENALTIES), min_length=1, description="inverse strengths of the L2 penalty to try"
    )
    folds: int = Field(5, ge=2, le=20, description="parts of the rows, each of which is predicted in turn")

    def fit_scorer(
        self, train: LabelledVectors, validation: LabelledVectors
    ) -> tuple[LabelScorer, float, dict[str, Any]]:
        head, temperature, facts = self.fit_head(train, validation)
        return head.compute_logits, temperature, facts

    def fit_head(
        self, train: LabelledVectors, validation: LabelledVectors
    ) -> tuple[LogisticHead, float, dict[str, Any]]:
        every = train.join(validation)
        c, accuracies, left_out = choose_inverse_penalty(every.vectors, every.targets, self.c, self.folds)
        judged = every.targets[left_out.known]
        temperature, _ = choose_temperature(left_out.logits[left_out.known], judged, self.default_temperature)
        facts = {"c": c, "cross_validated": {f"{value:g}": round(score, 4) for value, score in accuracies.items()}}
        return fit_logistic_head(every.vectors, every.targets, c), temperature, facts

    def find_responder(self, task: Task) -> Objective | None:
        return FrozenBaseHead()

    def export_artifact(self, job: AnswerJob, out: Path) -> TrainResult:
        if job.task.output_type != LABEL_SETS:
            return super().export_artifact(job, out)
        from factory_classify.multi_label_baselines import export_set_regression

        return export_set_regression(job, self.c, self.folds, out)

    def answer_sets(self, job: AnswerJob) -> Iterator[Answer]:
        from factory_classify.multi_label_baselines import answer_by_regression

        return answer_by_regression(job, self.c, self.folds)


def compute_label_means(rows: LabelledVectors) -> Vectors:
    """Return the normalised mean embedding of the rows of each label: (labels, width)."""
    import numpy as np

    labels = range(rows.targets.max() + 1)
    means = np.stack([rows.vectors[rows.targets == label].mean(axis=0) for label in labels])
    normalised: Vectors = means / np.linalg.norm(means, axis=1, keepdims=True)
    return normalised


def classify_zero_shot(texts: Vectors, names: Vectors) -> Numbers:
    """Return probabilities (rows, labels) by the cosine of texts and label names."""
    import numpy as np

    return compute_softmax((texts @ names.T).astype(np.float64) / _EmbeddingBaseline.default_temperature)
