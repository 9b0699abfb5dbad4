"""How far probabilities can be believed: a temperature fitted on validation rows, and numbers that say how well.

Temperature scaling and ECE: Guo et al. 2017, "On Calibration of Modern Neural Networks"; equal-mass bins: Nguyen and
O'Connor 2015, which no empty bin can flatter.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from factory_classify.label_answers import compute_softmax

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]
    Whole = NDArray[np.int64]

BIN_COUNT = 15
MAX_LOG_TEMPERATURE = 3.0
"""A temperature is looked for between e^-3 and e^3."""


@dataclass(frozen=True, slots=True)
class CalibrationBin:
    """Answers of like confidence: the means of how sure they were and of how often they were right."""

    confidence: float
    accuracy: float
    n: int


def fit_temperature(logits: Numbers, right: Whole) -> float:
    """The number by which logits (rows, labels) are divided for the least negative log-likelihood of the right ones."""
    from math import exp

    from scipy.optimize import minimize_scalar

    def loss(power: float) -> float:
        return compute_nll(logits / exp(power), right)

    found = minimize_scalar(
        loss, bounds=(-MAX_LOG_TEMPERATURE, MAX_LOG_TEMPERATURE), method="bounded", options={"xatol": 1e-4}
    )
    return float(exp(found.x))


def compute_nll(logits: Numbers, right: Whole) -> float:
    """The mean negative log-likelihood of the right labels."""
    import numpy as np

    shifted = logits - logits.max(axis=1, keepdims=True)
    chosen = shifted[np.arange(len(right)), right]
    return float(np.mean(np.log(np.exp(shifted).sum(axis=1)) - chosen))


def compute_confidences(logits: Numbers, right: Whole) -> tuple[list[float], list[bool]]:
    """How sure the best label of each row is, and whether it is the right one."""
    probabilities = compute_softmax(logits)
    return probabilities.max(axis=1).tolist(), (probabilities.argmax(axis=1) == right).tolist()


def split_equal_mass_bins(
    confidences: Sequence[float], hits: Sequence[bool], count: int = BIN_COUNT
) -> Iterator[CalibrationBin]:
    """Bins of equally many answers, the least sure first; fewer answers than bins make a bin each."""
    order = sorted(range(len(hits)), key=lambda i: (confidences[i], hits[i]))
    count = min(count, len(order))
    for number in range(count):
        mine = order[number * len(order) // count : (number + 1) * len(order) // count]
        sure, right = sum(confidences[i] for i in mine), sum(hits[i] for i in mine)
        yield CalibrationBin(sure / len(mine), right / len(mine), len(mine))


def compute_ece(found: Sequence[CalibrationBin]) -> float:
    """Expected calibration error: the mean distance of confidence and accuracy over the bins, by their size."""
    total = sum(one.n for one in found)
    return sum(one.n * abs(one.confidence - one.accuracy) for one in found) / total if total else 0.0


def find_abstention_threshold(
    confidences: Sequence[float], hits: Sequence[bool], accuracy: float
) -> tuple[float, float]:
    """The least confidence such that answers at least so sure are right that often, and the share that is so sure.

    (1.0, 0.0) when no threshold is enough: then it would always abstain.
    """
    order = sorted(range(len(hits)), key=lambda i: -confidences[i])
    found, right = (1.0, 0.0), 0
    for count, index in enumerate(order, 1):
        right += hits[index]
        more = count < len(order) and confidences[order[count]] == confidences[index]
        if not more and right / count >= accuracy:
            found = (confidences[index], count / len(order))
    return found
