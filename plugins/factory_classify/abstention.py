"""Abstention: the confidence from which on answers are right often enough, as measured or as a promise.

A threshold whose measured accuracy just reaches the target keeps less on new rows: it is the luckiest of many. The
promise tests few thresholds in a fixed order (Angelopoulos et al. 2021, "Learn then Test"), each with the exact
binomial bound (Clopper and Pearson 1934), as in selective prediction (Geifman and El-Yaniv 2017).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from factory_classify.label_answers import PROBABILITY_DIGITS

PROMISE_ERROR = 0.05
"""Probability that the accuracy on new rows is below a promised one."""
COVERAGE_STEPS = 20
"""Thresholds that are tested for a promise: those that answer 1/20, 2/20, … of the rows."""


@dataclass(frozen=True, slots=True)
class AbstentionThreshold:
    """Answers of at least confidence `below` are given: so many (`answered`) of `rows`, `right` of them right."""

    below: float
    rows: int
    answered: int = 0
    right: int = 0

    @property
    def coverage(self) -> float:
        return self.answered / self.rows if self.rows else 0.0

    @property
    def accuracy(self) -> float:
        """The share of right ones among the given answers; 0 if none is given."""
        return self.right / self.answered if self.answered else 0.0


def find_abstention_threshold(
    confidences: Sequence[float], hits: Sequence[bool], accuracy: float
) -> AbstentionThreshold:
    """Return the lowest threshold with this accuracy above it, as measured on these rows.

    If no threshold reaches the accuracy, the result always abstains (`below` 1, nothing answered).
    """
    measured = [each for each in _list_thresholds(confidences, hits) if each.right / each.answered >= accuracy]
    return measured[-1] if measured else AbstentionThreshold(1.0, len(hits))


def certify_abstention_threshold(
    confidences: Sequence[float], hits: Sequence[bool], accuracy: float
) -> AbstentionThreshold:
    """Return the lowest threshold above which new rows have this accuracy, with a probability of 95 %.

    Thresholds are tested in turn, from the highest one that could pass, until one fails. If none passes, the result
    always abstains (`below` 1, nothing answered).
    """
    from scipy.stats import binom

    promised = AbstentionThreshold(1.0, len(hits))
    steps = {math.ceil(len(hits) * step / COVERAGE_STEPS) for step in range(1, COVERAGE_STEPS + 1)}
    # Of equal confidences only the last separates: a step within a tie is moved to its end.
    ends = _list_thresholds(confidences, hits)
    for count in sorted({min(each.answered for each in ends if each.answered >= step) for step in steps if step}):
        if accuracy**count > PROMISE_ERROR:  # too few rows even without an error: decided without a look at the hits
            continue
        candidate = next(each for each in ends if each.answered == count)
        if binom.sf(candidate.right - 1, count, accuracy) > PROMISE_ERROR:
            break
        promised = candidate
    return promised


def apply_abstention(confidences: Sequence[float], hits: Sequence[bool], below: float) -> AbstentionThreshold:
    """Return what a given threshold answers of these rows."""
    answered = [hit for confidence, hit in zip(confidences, hits, strict=True) if confidence >= below]
    return AbstentionThreshold(below, len(hits), len(answered), sum(answered))


def _list_thresholds(confidences: Sequence[float], hits: Sequence[bool]) -> list[AbstentionThreshold]:
    """Return every threshold that separates answers, the highest first."""
    levels = [round(confidence, PROBABILITY_DIGITS) for confidence in confidences]
    order, found, right = sorted(range(len(hits)), key=lambda i: -levels[i]), [], 0
    for count, index in enumerate(order, 1):
        right += hits[index]
        if count == len(order) or levels[order[count]] != levels[index]:
            found.append(AbstentionThreshold(levels[index], len(hits), count, right))
    return found
