"""Calibration of probabilities: temperature scaling, expected calibration error (ECE), abstention threshold.

Temperature scaling and ECE: Guo et al. 2017, "On Calibration of Modern Neural Networks"; equal-mass bins, which are
never empty: Nguyen and O'Connor 2015.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import exp
from typing import TYPE_CHECKING

from factory_classify.label_answers import compute_softmax

if TYPE_CHECKING:
    from factory_classify.label_answers import Indices, Numbers

BIN_COUNT = 15
MAX_LOG_TEMPERATURE = 3.0
"""Temperatures are searched between e^-3 and e^3."""


@dataclass(frozen=True, slots=True)
class CalibrationBin:
    """Answers of similar confidence: their mean confidence, accuracy and number."""

    confidence: float
    accuracy: float
    n: int


def fit_temperature(logits: Numbers, right: Indices) -> float:
    """Return the temperature of logits (rows, labels) that minimises the negative log-likelihood."""
    from scipy.optimize import minimize_scalar

    # The logarithm is searched, so that the temperature stays positive.
    minimum = minimize_scalar(
        lambda power: compute_nll(logits / exp(power), right), method="bounded",
        bounds=(-MAX_LOG_TEMPERATURE, MAX_LOG_TEMPERATURE), options={"xatol": 1e-4},
    )
    return exp(minimum.x)


def compute_nll(logits: Numbers, right: Indices) -> float:
    """Return the mean negative log-likelihood of the right labels."""
    import numpy as np

    shifted = logits - logits.max(axis=1, keepdims=True)
    return float(np.mean(np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(right)), right]))


def compute_confidences(logits: Numbers, right: Indices) -> tuple[list[float], list[bool]]:
    """Return the probability of the best label of each row, and whether it is the right one."""
    probabilities = compute_softmax(logits)
    return probabilities.max(axis=1).tolist(), (probabilities.argmax(axis=1) == right).tolist()


def split_equal_mass_bins(
    confidences: Sequence[float], hits: Sequence[bool], count: int = BIN_COUNT
) -> Iterator[CalibrationBin]:
    """Yield bins of equally many answers, the least confident first; at most one bin per answer."""
    order = sorted(range(len(hits)), key=lambda i: (confidences[i], hits[i]))
    count = min(count, len(order))
    for number in range(count):
        members = order[number * len(order) // count : (number + 1) * len(order) // count]
        confidence, correct = sum(confidences[i] for i in members), sum(hits[i] for i in members)
        yield CalibrationBin(confidence / len(members), correct / len(members), len(members))


def compute_ece(bins: Sequence[CalibrationBin]) -> float:
    """Return the expected calibration error: the mean |confidence - accuracy| of the bins, weighted by size."""
    total = sum(b.n for b in bins)
    return sum(b.n * abs(b.confidence - b.accuracy) for b in bins) / total if total else 0.0


def find_abstention_threshold(
    confidences: Sequence[float], hits: Sequence[bool], accuracy: float
) -> tuple[float, float]:
    """Return the lowest confidence threshold with this accuracy above it, and the share of answers above it (coverage).

    Returns (1.0, 0.0), which always abstains, if no threshold reaches the accuracy.
    """
    order = sorted(range(len(hits)), key=lambda i: -confidences[i])
    best, correct = (1.0, 0.0), 0
    for count, index in enumerate(order, 1):
        correct += hits[index]
        # A threshold cannot separate answers of equal confidence: only the last of them is a candidate.
        has_equal = count < len(order) and confidences[order[count]] == confidences[index]
        if not has_equal and correct / count >= accuracy:
            best = (confidences[index], count / len(order))
    return best
