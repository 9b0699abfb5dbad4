"""Logistic regression for each label on frozen sentence embeddings (one-vs-rest): a baseline, and where heads start."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from factory_classify.logistic_head import INVERSE_PENALTIES, SPLIT_SEED, LogisticHead

if TYPE_CHECKING:
    from factory_classify.label_answers import Indices, Numbers
    from factory_classify.logistic_head import Vectors
    from factory_classify.multi_label_task import Membership

MAX_ITERATIONS, GRADIENT_TOLERANCE, VALUE_TOLERANCE = 500, 1e-6, 1e-9
THRESHOLD_STEPS = 100
"""Thresholds are tried in steps of 1/100."""


@dataclass(frozen=True, slots=True)
class _PenalisedLoss:
    """The mean over rows of the summed binary cross-entropies of the labels, with an L2 penalty on the weights."""

    vectors: Numbers
    members: Numbers
    penalty: float

    def compute(self, flat: Numbers) -> tuple[float, Numbers]:
        """Return the loss and its gradient at weights and biases (labels, width + 1), flattened."""
        import numpy as np

        weights = flat.reshape(self.members.shape[1], -1)
        logits = self.vectors @ weights[:, :-1].T + weights[:, -1]
        loss = np.logaddexp(0, logits).sum() - (logits * self.members).sum()
        errors = (1 / (1 + np.exp(-logits)) - self.members) / len(logits)
        gradient = np.concatenate([errors.T @ self.vectors, errors.sum(axis=0)[:, None]], axis=1)
        gradient[:, :-1] += self.penalty * weights[:, :-1]
        penalty = self.penalty / 2 * float((weights[:, :-1] ** 2).sum())
        return float(loss) / len(logits) + penalty, gradient.ravel()


def fit_one_vs_rest(
    vectors: Vectors, members: Membership, c: float, start: LogisticHead | None = None
) -> LogisticHead:
    """Fit one logistic regression for each label, as scikit-learn's at the inverse penalty `c`, all of them at once.

    `vectors` are (rows, width), `members` (rows, labels). `start` is where to begin, which only saves time.
    """
    import numpy as np
    from scipy.optimize import minimize
    from threadpoolctl import threadpool_limits

    labels, width = members.shape[1], vectors.shape[1]
    flat = np.zeros((labels, width + 1))
    if start is not None:
        flat = np.concatenate([start.weight, start.bias[:, None]], axis=1)
    loss = _PenalisedLoss(vectors.astype("float64"), members.astype("float64"), 1 / (c * len(vectors)))
    # Many small products: more threads would mostly wait for each other, and change the last digits.
    with threadpool_limits(1):
        found: Any = minimize(
            loss.compute, flat.ravel(), jac=True, method="L-BFGS-B",
            options={"maxiter": MAX_ITERATIONS, "gtol": GRADIENT_TOLERANCE / max(labels, 1), "ftol": VALUE_TOLERANCE},
        )
    weights = found.x.reshape(labels, width + 1)
    return LogisticHead(weights[:, :-1], weights[:, -1])


def choose_common_penalty(
    vectors: Vectors, members: Membership, values: Sequence[float] = INVERSE_PENALTIES, folds: int = 5
) -> tuple[float, dict[float, float]]:
    """Return the C with the best example-based F1 on left-out rows, and the F1 of each; ties go to the smallest.

    All labels have one C, and one threshold, the best for the left-out rows. Where there is nothing to choose (one
    value, or fewer rows than folds), it is the middle one, without figures.
    """
    import numpy as np

    if len(values) == 1 or len(vectors) < folds:
        return sorted(values)[len(values) // 2], {}
    order = sorted(values)
    logits = {c: np.zeros(members.shape) for c in order}
    for train, left_out in _split_folds(len(vectors), folds):
        head = None
        for c in order:  # the next weaker penalty starts where the last one ended
            head = fit_one_vs_rest(vectors[train], members[train], c, head)
            logits[c][left_out] = head.compute_logits(vectors[left_out])
    scores = {c: find_best_threshold(compute_sigmoid(logits[c]), members)[1] for c in order}
    return max(order, key=lambda c: round(scores[c], 6)), scores


def predict_sets_left_out(vectors: Vectors, members: Membership, c: float, folds: int = 5) -> Numbers:
    """Return the logits of each row by regressions that were fitted without its fold: (rows, labels).

    No rows are returned if there are fewer of them than folds.
    """
    import numpy as np

    if len(vectors) < folds:
        return np.zeros((0, members.shape[1]))
    logits = np.zeros(members.shape)
    for train, left_out in _split_folds(len(vectors), folds):
        logits[left_out] = fit_one_vs_rest(vectors[train], members[train], c).compute_logits(vectors[left_out])
    return logits


def _split_folds(rows: int, folds: int) -> Iterator[tuple[Indices, Indices]]:
    from sklearn.model_selection import KFold

    yield from KFold(folds, shuffle=True, random_state=SPLIT_SEED).split(range(rows))


def compute_sigmoid(logits: Numbers) -> Numbers:
    """Convert logits to probabilities, each by itself."""
    from scipy.special import expit

    probabilities: Numbers = expit(logits)
    return probabilities


def compute_example_f1(given: Membership, members: Membership) -> Numbers:
    """Return the F1 of the labels of each row: (rows,). It is 1 where none is right and none is given."""
    import numpy as np

    sizes = given.sum(axis=1) + members.sum(axis=1)
    shared = 2.0 * (given & members).sum(axis=1)
    f1: Numbers = np.divide(shared, sizes, out=np.ones(len(sizes)), where=sizes > 0)
    return f1


def list_thresholds() -> list[float]:
    """Return the thresholds that are tried, those nearest to a half first."""
    grid = [step / THRESHOLD_STEPS for step in range(1, THRESHOLD_STEPS)]
    return sorted(grid, key=lambda value: (abs(value - 0.5), value))


def find_best_threshold(probabilities: Numbers, members: Membership) -> tuple[float, float]:
    """Return the common threshold with the best mean example-based F1, and that F1; ties go to the nearest to a half.

    `probabilities` and `members` are (rows, labels).
    """
    scores = {
        value: float(compute_example_f1(probabilities >= value, members).mean()) for value in list_thresholds()
    }
    best = max(scores, key=lambda value: round(scores[value], 6))
    return best, scores[best]
