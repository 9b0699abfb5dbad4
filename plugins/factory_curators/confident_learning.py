"""Confident learning: find labels that are probably wrong (Northcutt, Jiang & Chuang 2021, arXiv:1911.00068)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]

INVERSE_REGULARISATION = 10.0
"""Inverse regularisation strength (C) of the logistic regression, for unit vectors."""
MAX_SOLVER_ITERATIONS = 300


@dataclass(frozen=True, slots=True)
class LabelIssue:
    """A row whose label is probably wrong: its index, the suggested label, and the probabilities of both labels."""

    row: int
    suggested_label: str
    suggested_probability: float
    given_probability: float

    @property
    def margin(self) -> float:
        """Difference of the probabilities of the suggested and the given label, 0 to 1."""
        return self.suggested_probability - self.given_probability


def find_label_issues(probabilities: Floats, labels: Sequence[str], names: Sequence[str]) -> list[LabelIssue]:
    """Return the rows off the diagonal of the confident joint, the largest margin first.

    `probabilities` (rows, names) are out-of-fold. A row is counted under the most probable of the names that reach
    their threshold: the mean probability that the rows labelled with a name give to it.
    """
    import numpy as np

    column = {name: i for i, name in enumerate(names)}
    given = np.array([column[label] for label in labels])
    own = probabilities[np.arange(len(given)), given]
    counts = np.bincount(given, minlength=len(names))
    means = np.bincount(given, weights=own, minlength=len(names)) / np.maximum(counts, 1)
    means[counts == 0] = np.inf  # a name without rows never reaches its threshold
    confident = np.where(probabilities >= means, probabilities, 0.0)
    best = confident.argmax(axis=1)
    rows = np.flatnonzero((confident[np.arange(len(given)), best] > own) & (best != given))
    issues = (LabelIssue(i, names[best[i]], float(probabilities[i, best[i]]), float(own[i])) for i in rows.tolist())
    return sorted(issues, key=lambda issue: (-issue.margin, issue.row))


def predict_out_of_fold(
    features: Any, labels: Sequence[str], folds: int, seed: int, progress: Callable[[int, int], None]
) -> tuple[Floats, list[str]]:
    """Return out-of-fold probabilities (rows, names) of a logistic regression, and the names of the labels.

    `features` is a dense or sparse matrix. Labels with fewer rows than folds are missing from the models of some folds
    and get the probability 0 there.
    """
    import warnings

    import numpy as np
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold

    names = sorted(set(labels))
    column = {name: i for i, name in enumerate(names)}
    given: Integers = np.array([column[label] for label in labels])
    probabilities = np.zeros((len(given), len(names)))
    folding = StratifiedKFold(folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn warns of labels with fewer rows than folds: see above
        for number, (train_rows, test_rows) in enumerate(folding.split(np.zeros(len(given)), given), 1):
            model = LogisticRegression(C=INVERSE_REGULARISATION, max_iter=MAX_SOLVER_ITERATIONS)
            model.fit(features[train_rows], given[train_rows])
            probabilities[np.ix_(test_rows, model.classes_)] = model.predict_proba(features[test_rows])
            progress(number, folds)
    return probabilities, names


def vectorise_words(texts: Sequence[str]) -> Any:
    """Return TF-IDF vectors of words and word pairs: a sparse matrix with rows of unit length."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2).fit_transform(texts)
