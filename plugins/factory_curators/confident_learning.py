"""Confident learning: which labels the other rows contradict (Northcutt, Jiang & Chuang 2021, arXiv:1911.00068)."""

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
"""Inverse of the regularisation of the logistic regression; of unit vectors."""
MAX_SOLVER_ITERATIONS = 300


@dataclass(frozen=True, slots=True)
class LabelIssue:
    """A row whose label is contradicted: its place, the label that fits, and the probabilities of both."""

    place: int
    suggested_label: str
    suggested_probability: float
    given_probability: float

    @property
    def margin(self) -> float:
        """By how much the other label is more probable, 0 to 1."""
        return self.suggested_probability - self.given_probability


def find_label_issues(probabilities: Floats, labels: Sequence[str], names: Sequence[str]) -> list[LabelIssue]:
    """The rows off the diagonal of the confident joint, the surest first.

    `probabilities` are (rows, names), each by a model that did not see the row. A row counts as of the likeliest name
    among those whose probability reaches the mean that rows of that name give it; nothing counts below it.
    """
    import numpy as np

    at = {name: i for i, name in enumerate(names)}
    given = np.array([at[label] for label in labels])
    own = probabilities[np.arange(len(given)), given]
    counts = np.bincount(given, minlength=len(names))
    means = np.bincount(given, weights=own, minlength=len(names)) / np.maximum(counts, 1)
    means[counts == 0] = np.inf
    sure = np.where(probabilities >= means, probabilities, 0.0)
    best = sure.argmax(axis=1)
    places = np.flatnonzero((sure[np.arange(len(given)), best] > own) & (best != given))
    found = [LabelIssue(int(p), names[best[p]], float(probabilities[p, best[p]]), float(own[p])) for p in places]
    return sorted(found, key=lambda suspect: (-suspect.margin, suspect.place))


def predict_out_of_fold(
    features: Any, labels: Sequence[str], folds: int, seed: int, progress: Callable[[int, int], None]
) -> tuple[Floats, list[str]]:
    """Probabilities of each label for each row by logistic regression on the other folds, (rows, names), and the names.

    `features` are a matrix or sparse matrix of rows. Labels with fewer rows than folds stay out of some folds' models,
    and are improbable there.
    """
    import warnings

    import numpy as np
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold

    names = sorted(set(labels))
    at = {name: i for i, name in enumerate(names)}
    given: Integers = np.array([at[label] for label in labels])
    probabilities = np.zeros((len(given), len(names)))
    folding = StratifiedKFold(folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # labels of fewer rows than folds: said in the docstring
        for done, (known, asked) in enumerate(folding.split(np.zeros(len(given)), given), 1):
            model = LogisticRegression(
                C=INVERSE_REGULARISATION, max_iter=MAX_SOLVER_ITERATIONS
            ).fit(features[known], given[known])
            probabilities[np.ix_(asked, model.classes_)] = model.predict_proba(features[asked])
            progress(done, folds)
    return probabilities, names


def vectorise_words(texts: Sequence[str]) -> Any:
    """TF-IDF of words and pairs of words, unit rows: a sparse matrix."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2).fit_transform(texts)
