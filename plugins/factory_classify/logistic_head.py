"""Logistic regression on frozen sentence embeddings: a baseline of its own, and where a classifier's head starts."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
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


def save_head(file: Path, head: LogisticHead, weight: str, bias: str) -> None:
    """Write a head in fp32 as safetensors, under the names of its tensors."""
    import numpy as np
    from safetensors.numpy import save_file

    tensors = ((weight, head.weight), (bias, head.bias))
    save_file({name: np.ascontiguousarray(value, dtype=np.float32) for name, value in tensors}, file)


def load_head(file: Path, weight: str, bias: str) -> LogisticHead:
    """Read a head that `save_head` wrote."""
    from safetensors.numpy import load_file

    tensors = load_file(file)
    return LogisticHead(tensors[weight].astype("float64"), tensors[bias].astype("float64"))


@dataclass(frozen=True, slots=True)
class LeftOutPredictions:
    """What regressions predict for the rows that they were fitted without.

    `logits` are (rows, labels); `known` are the rows that have some: not those of a label that the other folds lack,
    and none if there is nothing to leave out. `accuracy` is the mean over the folds.
    """

    logits: Numbers
    known: NDArray[np.bool_]
    accuracy: float


def choose_inverse_penalty(
    vectors: Vectors, owners: Indices, values: Sequence[float] = INVERSE_PENALTIES, folds: int = 5
) -> tuple[float, dict[float, float], LeftOutPredictions]:
    """Return the C with the best accuracy on left-out rows, the accuracy of each, and the predictions of the best.

    `vectors` are (rows, width), `owners` their label indices. Ties go to the smallest. Where there is nothing to choose
    (one value, or no label with two rows), it is the middle one, without figures.
    """
    ordered = sorted(values)
    if len(values) == 1 or _build_folds(owners, folds) is None:
        middle = ordered[len(values) // 2]
        return middle, {}, predict_left_out(vectors, owners, middle, folds)
    best, accuracies = ordered[0], dict[float, float]()
    for c in ordered:
        found = predict_left_out(vectors, owners, c, folds)
        accuracies[c] = found.accuracy
        if c == best or round(found.accuracy, 6) > round(accuracies[best], 6):
            best, chosen = c, found
    return best, accuracies, chosen


def predict_left_out(vectors: Vectors, owners: Indices, c: float, folds: int = 5) -> LeftOutPredictions:
    """Return the predictions for each row by a regression that was fitted without its fold."""
    import numpy as np

    logits, known = np.zeros((len(owners), int(owners.max()) + 1)), np.zeros(len(owners), dtype=bool)
    parts, accuracies = _build_folds(owners, folds), []
    if parts is None:
        return LeftOutPredictions(logits, known, 0.0)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The least populated class")  # a rare label misses some folds
        for trained, left_out in parts.split(vectors, owners):
            labels, positions = np.unique(owners[trained], return_inverse=True)
            own = fit_logistic_head(vectors[trained], positions, c).compute_logits(vectors[left_out])
            # A label that was not trained is as unlikely as the least likely one.
            logits[left_out] = own.min(axis=1, keepdims=True)
            logits[np.ix_(left_out, labels)] = own
            known[left_out] = np.isin(owners[left_out], labels)
            accuracies.append(float(np.mean(labels[own.argmax(axis=1)] == owners[left_out])))
    return LeftOutPredictions(logits, known, float(np.mean(accuracies)))


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
