"""Calibration of probabilities: temperature scaling, and the expected calibration error (ECE) with its noise floor.

Temperature scaling and ECE: Guo et al. 2017, "On Calibration of Modern Neural Networks"; equal-mass bins, which are
never empty: Nguyen and O'Connor 2015.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import exp, log
from typing import TYPE_CHECKING

from factory_classify.label_answers import PROBABILITY_DIGITS, compute_softmax

if TYPE_CHECKING:
    from factory_classify.label_answers import Indices, Numbers

MAX_BINS = 15
MIN_BIN_ROWS = 20
"""Least number of answers per bin, where there are enough: the accuracy of fewer is mostly noise."""
MIN_CALIBRATION_ROWS = 20
"""Least number of validation rows to fit a temperature on."""
FLOOR_DRAWS = 200
"""Simulated sets of answers for the noise floor: its mean is exact to about 1.5 %."""
MAX_LOG_TEMPERATURE = 3.0
"""Temperatures are searched between e^-3 and e^3."""
BOUND_TOLERANCE = 0.01
"""Distance from a bound of the search, in logarithms, at which the bound counts as reached."""


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


def choose_temperature(logits: Numbers, right: Indices, default: float = 1.0) -> tuple[float, str]:
    """Return the temperature to use, and why it is `default` if these validation rows say nothing about it.

    Without an error, or without a right answer, the likelihood has no minimum: it grows up to the bound of the search.
    """
    wrong = int((logits.argmax(axis=1) != right).sum())
    if len(right) < MIN_CALIBRATION_ROWS:
        return default, f"{len(right)} validation rows are too few (fewer than {MIN_CALIBRATION_ROWS})"
    if wrong in (0, len(right)):
        return default, f"{'none' if not wrong else 'each'} of the {len(right)} validation rows is answered wrongly"
    temperature = fit_temperature(logits, right)
    if abs(log(temperature)) > MAX_LOG_TEMPERATURE - BOUND_TOLERANCE:
        bounds = f"{exp(-MAX_LOG_TEMPERATURE):.2f} and {exp(MAX_LOG_TEMPERATURE):.0f}"
        return default, f"the likelihood has no maximum between {bounds}"
    return temperature, ""


def compute_nll(logits: Numbers, right: Indices) -> float:
    """Return the mean negative log-likelihood of the right labels."""
    return float(compute_row_nlls(logits, right).mean())


def compute_row_nlls(logits: Numbers, right: Indices) -> Numbers:
    """Return the negative log-likelihood of the right label of each row: (rows,)."""
    import numpy as np

    shifted = logits - logits.max(axis=1, keepdims=True)
    losses: Numbers = np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(right)), right]
    return losses


def compute_confidences(logits: Numbers, right: Indices) -> tuple[list[float], list[bool]]:
    """Return the probability of the best label of each row, and whether it is the right one."""
    probabilities = compute_softmax(logits)
    return probabilities.max(axis=1).tolist(), (probabilities.argmax(axis=1) == right).tolist()


def split_equal_mass_bins(
    confidences: Sequence[float], hits: Sequence[float], count: int = 0
) -> Iterator[CalibrationBin]:
    """Yield bins of equally many answers, the least confident first; 0 bins: as many as `choose_bin_count` says.

    Answers of one confidence all count with their common accuracy: which of them falls on which side of a bin's edge
    then changes nothing. A hit is 1, a miss 0, and a coin one half.
    """
    levels = [round(confidence, PROBABILITY_DIGITS) for confidence in confidences]
    ties: defaultdict[float, list[float]] = defaultdict(list)
    for level, hit in zip(levels, hits, strict=True):
        ties[level].append(hit)
    accuracies = {level: sum(tied) / len(tied) for level, tied in ties.items()}
    order = sorted(range(len(hits)), key=levels.__getitem__)
    edges = _list_bin_edges(len(order), count)
    for start, end in pairwise(edges):
        members = order[start:end]
        confidence, correct = sum(confidences[i] for i in members), sum(accuracies[levels[i]] for i in members)
        yield CalibrationBin(confidence / len(members), correct / len(members), len(members))


def choose_bin_count(rows: int) -> int:
    """Return the number of bins for so many answers: 15, or fewer so that each has at least 20 of them."""
    return max(1, min(MAX_BINS, rows // MIN_BIN_ROWS))


def _list_bin_edges(rows: int, count: int) -> list[int]:
    """Return where each bin begins in the order of confidence, and the end of the last."""
    count = min(count or choose_bin_count(rows), rows)
    return [number * rows // count for number in range(count + 1)] if rows else []


def compute_ece(bins: Sequence[CalibrationBin]) -> float:
    """Return the expected calibration error: the mean |confidence - accuracy| of the bins, weighted by size."""
    total = sum(b.n for b in bins)
    return sum(b.n * abs(b.confidence - b.accuracy) for b in bins) / total if total else 0.0


def compute_ece_floor(confidences: Sequence[float]) -> float:
    """Return the noise floor: the mean ECE of perfectly calibrated answers of these confidences, in the same bins.

    Each answer is right with the probability that it states, drawn 200 times; a measured ECE near this value is no
    sign of bad calibration.
    """
    import numpy as np

    if not confidences:
        return 0.0
    levels = np.sort(np.round(np.array(confidences, dtype=np.float64), PROBABILITY_DIGITS))
    _, tie, sizes = np.unique(levels, return_inverse=True, return_counts=True)
    starts, draw, total = np.array(_list_bin_edges(len(levels), 0)[:-1]), np.random.default_rng(0), 0.0
    for _ in range(FLOOR_DRAWS):
        hits = draw.random(len(levels)) < levels
        accuracies = np.bincount(tie, weights=hits, minlength=len(sizes)) / sizes
        total += float(np.abs(np.add.reduceat(accuracies[tie] - levels, starts)).sum()) / len(levels)
    return total / FLOOR_DRAWS
