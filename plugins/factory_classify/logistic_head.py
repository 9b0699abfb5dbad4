"""Logistic regression on frozen sentence embeddings: a baseline of its own, and where a classifier's head starts."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from sklearn.model_selection import StratifiedKFold

    from factory_classify.label_answers import Indices, Numbers

    Vectors = NDArray[np.float32]

MAX_STEPS, SPLIT_SEED = 1000, 7
INVERSE_PENALTIES = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
"""Values of C to try: the inverse strength of the L2 penalty."""


@dataclass(frozen=True, slots=True)
class LogisticHead:
    """A linear layer from an embedding to the labels: weight (labels, width) and bias (labels,)."""

    weight: Numbers
    bias: Numbers

    def compute_logits(self, vectors: Vectors) -> Numbers:
        """Return the logits of embeddings (rows, width): (rows, labels)."""
        logits: Numbers = vectors.astype("float64") @ self.weight.T + self.bias
        return logits


def choose_inverse_penalty(
    vectors: Vectors, owners: Indices, values: Sequence[float] = INVERSE_PENALTIES, folds: int = 5
) -> tuple[float, dict[float, float]]:
    """Return the C with the best accuracy on left-out rows, and the accuracy of each; ties go to the smallest.

    `vectors` are (rows, width), `owners` their label indices. Where there is nothing to choose (one value, or no label
    with two rows), it is the middle one, without figures.
    """
    import numpy as np
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_score
    from threadpoolctl import threadpool_limits

    parts = _build_folds(owners, folds)
    if len(values) == 1 or parts is None:
        return sorted(values)[len(values) // 2], {}
    # Many small products: more threads would mostly wait for each other, and change the last digits.
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The least populated class")  # a rare label misses some folds
        accuracies = {
            c: float(np.mean(cross_val_score(LogisticRegression(C=c, max_iter=MAX_STEPS), vectors, owners, cv=parts)))
            for c in sorted(values)
        }
    return max(accuracies, key=lambda c: round(accuracies[c], 6)), accuracies


def predict_left_out(
    vectors: Vectors, owners: Indices, c: float, folds: int = 5
) -> tuple[Numbers, NDArray[np.bool_]]:
    """Return the logits of each row by a regression that was fitted without its fold, (rows, labels), and which rows
    have such logits: not those of a label that the other folds lack, and none if there is nothing to leave out."""
    import numpy as np

    logits, known = np.zeros((len(owners), int(owners.max()) + 1)), np.zeros(len(owners), dtype=bool)
    parts = _build_folds(owners, folds)
    if parts is None:
        return logits, known
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The least populated class")
        for trained, left_out in parts.split(vectors, owners):
            labels, positions = np.unique(owners[trained], return_inverse=True)
            own = fit_logistic_head(vectors[trained], positions, c).compute_logits(vectors[left_out])
            # A label that was not trained is as unlikely as the least likely one.
            logits[left_out] = own.min(axis=1, keepdims=True)
            logits[np.ix_(left_out, labels)] = own
            known[left_out] = np.isin(owners[left_out], labels)
    return logits, known


def _build_folds(owners: Indices, folds: int) -> StratifiedKFold | None:
    """Return how to cross-validate; None for a single label, or if no label has two rows."""
    import numpy as np
    from sklearn.model_selection import StratifiedKFold

    folds = min(folds, int(np.bincount(owners).max()))
    return StratifiedKFold(folds, shuffle=True, random_state=SPLIT_SEED) if folds > 1 and owners.any() else None


def fit_logistic_head(vectors: Vectors, owners: Indices, c: float) -> LogisticHead:
    """Fit logistic regression over all labels; `owners` holds every label index at least once."""
    import numpy as np
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    if not owners.any():  # a single label
        return LogisticHead(np.zeros((1, vectors.shape[1])), np.zeros(1))
    with threadpool_limits(1):
        model: Any = LogisticRegression(C=c, max_iter=MAX_STEPS).fit(vectors, owners)
    if len(model.coef_) == 1:
        # Of two labels, scikit-learn keeps the difference of their logits.
        return LogisticHead(np.concatenate([-model.coef_, model.coef_]) / 2, np.array([-1, 1]) * model.intercept_ / 2)
    return LogisticHead(model.coef_, model.intercept_)
