"""Baseline of reward models: a logistic regression on the embeddings of both answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from factory.api import Answer, AnswerJob, Contender, Row
from factory_preference.judged_answers import CHOSEN, REJECTED
from factory_preference.reward_architectures import render_prompt_text
from factory_preference.reward_task import REWARDS

if TYPE_CHECKING:
    from numpy.typing import NDArray

MIN_CROSS_VALIDATED = 15
"""Pairs from which the penalty is cross-validated in three folds."""
PENALTIES = (0.01, 0.1, 1.0, 10.0, 100.0)


class EmbeddingDifference(Contender):
    """Logistic regression of the choice on the difference of the embeddings of prompt with chosen and rejected answer.

    Minutes of training must beat these seconds. The penalty is cross-validated; embeddings are of the student, or of
    `models.embedder`. Rewards are log-odds, and so can be calibrated.
    """

    kind = "embedding-difference"
    output_type = REWARDS
    columns = ("prompt", "chosen", "rejected", "answers")

    model: Literal["student", "embedder"] = Field("student", description="the model that embeds")

    def get_required_models(self) -> tuple[str, ...]:
        return ("embedder",) if self.model == "embedder" else ()

    def answer(self, job: AnswerJob) -> Iterator[Answer]:
        chosen, rejected = (
            self._embed_answers(job, [(row, str(row[name])) for row in job.train]) for name in (CHOSEN, REJECTED)
        )
        weights = fit_difference_weights(chosen - rejected)
        pairs = [(row, str(text)) for row in job.rows for text in row["answers"]]
        rewards = iter((self._embed_answers(job, pairs) @ weights).tolist())
        for row in job.rows:
            yield Answer(row.id, [next(rewards) for _ in row["answers"]])

    def _embed_answers(self, job: AnswerJob, pairs: Sequence[tuple[Row, str]]) -> NDArray[np.float64]:
        base = job.base if self.model == "student" else job.models["embedder"]
        texts = [f"{render_prompt_text(job.task, row)}\n\n{text}" for row, text in pairs]
        return job.kit.embed(base, texts, report=job.report).astype(np.float64)


def fit_difference_weights(differences: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the weights of a logistic regression without an intercept on (pairs, width) differences, chosen less
    rejected: (width,). Each pair enters in both orders, once as a win and once as a loss."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV, KFold

    # Both orders of a pair are neighbours, so that folds without shuffling keep them together.
    inputs = np.stack([differences, -differences], axis=1).reshape(-1, differences.shape[1])
    wins = np.tile([1, 0], len(differences))
    model = LogisticRegression(fit_intercept=False, max_iter=1000)
    if len(differences) < MIN_CROSS_VALIDATED:
        return np.asarray(model.fit(inputs, wins).coef_[0])
    folds = [(_double(kept), _double(left)) for kept, left in KFold(3).split(differences)]
    search = GridSearchCV(model, {"C": PENALTIES}, cv=folds, scoring="neg_log_loss").fit(inputs, wins)
    return np.asarray(search.best_estimator_.coef_[0])


def _double(pairs: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the places of both orders of these pairs."""
    return np.stack([2 * pairs, 2 * pairs + 1], axis=1).ravel()
