"""From scores of labels to decisions: calibrated probabilities (Platt 1999), and the threshold of each label."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp
from typing import TYPE_CHECKING, Any

from factory_classify.calibration import (
    BOUND_TOLERANCE,
    MAX_LOG_TEMPERATURE,
    MIN_CALIBRATION_ROWS,
    compute_ece,
    compute_ece_floor,
    split_equal_mass_bins,
)
from factory_classify.one_vs_rest import compute_example_f1, compute_sigmoid, find_best_threshold, list_thresholds

if TYPE_CHECKING:
    from factory_classify.label_answers import Numbers
    from factory_classify.multi_label_task import Membership

MIN_THRESHOLD_ROWS = 20
"""Least number of validation rows with a label for a threshold of its own; with fewer it has the common one."""
MAX_OFFSET = 10.0


@dataclass(frozen=True, slots=True)
class SigmoidCalibration:
    """The probability of a label of score s is 1 / (1 + exp(-(scale · s + offset))), alike for all labels."""

    scale: float = 1.0
    offset: float = 0.0

    def compute_probabilities(self, scores: Numbers) -> Numbers:
        """Convert scores (rows, labels) to probabilities."""
        return compute_sigmoid(self.scale * scores + self.offset)


def compute_log_losses(logits: Numbers, members: Membership) -> Numbers:
    """Return the binary cross-entropy of each row and label: (rows, labels)."""
    import numpy as np

    losses: Numbers = np.logaddexp(0, logits) - logits * members
    return losses


def choose_sigmoid_calibration(
    scores: Numbers, members: Membership, default: SigmoidCalibration
) -> tuple[SigmoidCalibration, str]:
    """Return the calibration with the least log loss on these rows, and why it is `default` if they say nothing of it.

    Where a threshold separates right from wrong labels without an error, the likelihood has no maximum.
    """
    import numpy as np
    from scipy.optimize import minimize

    if len(scores) < MIN_CALIBRATION_ROWS:
        return default, f"{len(scores)} validation rows are too few (fewer than {MIN_CALIBRATION_ROWS})"
    if members.all() or not members.any():
        return default, f"the validation rows have {'all labels' if members.all() else 'no label'}"
    if scores[members].min() > scores[~members].max():
        return default, "one threshold tells right from wrong labels without an error"
    bounds = [(-MAX_LOG_TEMPERATURE, MAX_LOG_TEMPERATURE), (-MAX_OFFSET, MAX_OFFSET)]
    centred = default.scale * scores + default.offset
    found: Any = minimize(
        lambda point: float(compute_log_losses(exp(point[0]) * centred + point[1], members).mean()), np.zeros(2),
        method="L-BFGS-B", bounds=bounds,
    )
    if any(abs(value) > high - BOUND_TOLERANCE for value, (_, high) in zip(found.x, bounds, strict=True)):
        return default, "the likelihood has no maximum within the bounds of the search"
    scale = exp(found.x[0])
    return SigmoidCalibration(scale * default.scale, scale * default.offset + float(found.x[1])), ""


def choose_label_thresholds(probabilities: Numbers, members: Membership) -> tuple[Numbers, dict[str, Any]]:
    """Return the threshold of each label, (labels,), and what was chosen on how many rows.

    A label with at least 20 of these rows has the threshold of its own best F1, every other one the common threshold of
    the best example-based F1. Without rows each threshold is a half.
    """
    import numpy as np

    if not len(probabilities):
        return np.full(probabilities.shape[1], 0.5), {"rows": 0}
    common, _ = find_best_threshold(probabilities, members)
    thresholds = np.full(members.shape[1], common)
    frequent = np.flatnonzero(members.sum(axis=0) >= MIN_THRESHOLD_ROWS)
    for label in frequent:
        thresholds[label] = _find_label_threshold(probabilities[:, label], members[:, label], common)
    reached = float(compute_example_f1(probabilities >= thresholds, members).mean())
    facts = {"rows": len(members), "common": common, "own": len(frequent), "example_f1": round(reached, 4)}
    return thresholds, facts


def _find_label_threshold(probabilities: Numbers, members: Membership, common: float) -> float:
    """Return the threshold of one label's best F1; ties go to the nearest to the common one."""

    def compute_f1(threshold: float) -> float:
        given = probabilities >= threshold
        return round(2 * float((given & members).sum()) / float(given.sum() + members.sum()), 6)

    order = sorted(list_thresholds(), key=lambda value: (abs(value - common), value))
    return max(order, key=compute_f1)


def measure_label_calibration(probabilities: Numbers, members: Membership) -> dict[str, float]:
    """Return the calibration error over all pairs of row and label, and what calibrated ones show by chance."""
    levels, hits = probabilities.ravel().tolist(), members.ravel().tolist()
    return {"ece": compute_ece(list(split_equal_mass_bins(levels, hits))), "ece_floor": compute_ece_floor(levels)}
