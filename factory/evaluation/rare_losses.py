"""A warning where rare large losses make an interval doubtful: skewed differences, or losses too rare to be seen.

Both methods of `statistics.ClusterTest` believe a mean too early where most rows gain a little and few lose much. The
thresholds are those that separate such builds from others in `benchmarks/gate_simulation.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from factory.evaluation.paired_tests import RULE_OF_THREE, PairedTest
from factory.evaluation.statistics import ClusterSample, ClusterTest

MAX_SKEW = 0.2
"""Largest skewness towards losses, divided by √groups (Cochran's rule, n > 25 skew²). Of builds without an effect, at
most 4 % then ship without a warning, where up to 43 % ship; of 20 and more normal differences, 3 % are warned of."""
SMALL_SHARE = 1 / 3
"""Differences are small if none is beyond this share of the range of scores."""
WORST_COUNT = 3
"""Number of rows that a warning names."""


@dataclass(frozen=True, slots=True)
class RareLosses:
    """What makes the interval of a comparison doubtful, and the worst rows with their differences."""

    is_seen: bool
    """Whether large losses were seen; else the gain is so small that a few unseen ones would undo it."""
    worst: tuple[tuple[str, float], ...]


def find_rare_losses(
    differences: Mapping[str, float], test: PairedTest, margin: float, span: float
) -> RareLosses | None:
    """Return why the lower bound of a difference is doubtful, or None. `span` is the width of the range of scores.

    Binary rows without groups can not be skewed: their test knows the distribution.
    """
    if not isinstance(test, ClusterTest):
        return None
    sample = test.data
    worst = sorted(differences.items(), key=lambda item: (item[1], item[0]))[:WORST_COUNT]
    losses = tuple((name, value) for name, value in worst if value < 0)
    if losses and compute_skew(sample) < -MAX_SKEW * len(sample.sums) ** 0.5:
        return RareLosses(True, losses)
    is_rare = sum(value < 0 for value in differences.values()) < RULE_OF_THREE
    is_small = max(map(abs, differences.values())) <= SMALL_SHARE * span
    gain = (sample.mean - margin) * sample.effective_clusters
    return RareLosses(False, losses) if is_rare and is_small and 0 < gain < RULE_OF_THREE * span else None


def compute_skew(sample: ClusterSample) -> float:
    """Return the skewness of what clusters add to the mean; 0 if they all add the same."""
    residuals = sample.sums - sample.mean * sample.sizes
    variance = float((residuals**2).mean())
    return float((residuals**3).mean()) / variance**1.5 if variance > 0 else 0.0
