"""Scores of made contenders, and the verdict over them."""

from typing import Any

import numpy as np

from factory.api import Metric
from factory.evaluation.gate import GateEvidence, decide_verdict
from factory.spec.fields import Gate

SCORE = Metric("nDCG@10", "a number")
N = 200
NOISE = np.random.default_rng(0).normal(0, 0.1, N)


def rows(shift: float, noise: Any = NOISE, metric: str = "nDCG@10") -> list[dict[str, Any]]:
    return [{"id": f"r{i:03}", "group": "", "values": {metric: float(0.5 + shift + x)}} for i, x in enumerate(noise)]


def verdict(shifts: dict[str, float], gate: Gate | None = None, **more: Any) -> dict[str, Any]:
    """Tuned at 0.5 against baselines shifted from it, each with noise of its own."""
    noise = {name: np.random.default_rng(i).normal(0, 0.1, N) for i, name in enumerate(sorted(shifts), 1)}
    scores = {"tuned": rows(0.0), **{name: rows(shift, noise[name]) for name, shift in shifts.items()}}
    return decide_verdict(scores, more.pop("metric", SCORE), gate or Gate(), GateEvidence(**more))
