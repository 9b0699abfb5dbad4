"""A lead of many small gains is doubtful where losses are rare and large, seen or not."""

from typing import Any

import numpy as np
import pytest
from scipy.stats import skew
from verdict_parts import rows

from factory.api import Metric
from factory.evaluation.gate import decide_verdict
from factory.evaluation.rare_losses import compute_skew
from factory.evaluation.statistics import group_by_cluster
from factory.spec.fields import Gate

SCORE = Metric("nDCG@10", "a number")


def decide(differences: Any) -> dict[str, Any]:
    base = np.linspace(0, 1, len(differences))
    return decide_verdict({"tuned": rows(-0.5, base + differences), "base": rows(-0.5, base)}, SCORE, Gate())


def test_the_skewness_is_scipys() -> None:
    values = np.random.default_rng(0).exponential(1, 50)
    sample = group_by_cluster(list(values), [str(i) for i in range(50)])
    assert compute_skew(sample) == pytest.approx(skew(values))


def test_rare_large_losses_are_warned_of_and_named() -> None:
    differences = np.full(500, 0.05)
    differences[[17, 93, 301]] = (-0.9, -1.0, -0.8)
    found = decide(differences)
    assert found["verdict"] == "SHIP"
    (warning,) = found["warnings"]
    assert warning in found["reasons"]
    assert warning.startswith("tuned loses to base on few rows, but by much")
    assert warning.endswith("(r093 -1.000, r017 -0.900, r301 -0.800)")


def test_losses_too_rare_to_be_seen_are_warned_of() -> None:
    differences = np.where(np.arange(100) % 5 == 0, 0.1, 0.0)
    found = decide(differences)
    assert found["verdict"] == "SHIP"
    assert "three large ones among rows that were not seen would undo it" in found["warnings"][0]
    # With 2,000 rows, three losses more would not.
    assert "warnings" not in decide(np.tile(differences, 20))


def test_an_ordinary_lead_is_not_warned_of() -> None:
    draw = np.random.default_rng(1)
    assert "warnings" not in decide(draw.normal(0.1, 0.2, 200))
    assert "warnings" not in decide(draw.exponential(0.3, 200) - 0.1)  # rare large wins
