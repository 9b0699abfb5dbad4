"""Curves of a run: metrics by training step, and the reliability of a classifier's probabilities."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from factory.runs.run_outputs import RunOutputs
from factory.views.elements import Curve
from factory.views.formatting import format_number


def build_metric_curve(metric: str, points: Sequence[tuple[float, float]], name: str = "") -> Curve:
    """Return a training metric by step, without values that are not finite; `name` is that of a run among others."""
    title = metric.replace("_", " ")
    finite = tuple((x, y) for x, y in points if math.isfinite(y))
    ends = [f"{format_number(y)} at step {x:g}" for x, y in (finite[:1] + finite[-1:])]
    return Curve(name or title, finite, "step", title, f"{title}: {', '.join(ends)}" if ends else "")


def build_training_curve(outputs: RunOutputs) -> Curve:
    """Return the training loss by step, of all runs that trained this stage."""
    return build_metric_curve("training loss", outputs.read_training_curve())


def build_training_curves(outputs: RunOutputs) -> list[Curve]:
    """Return the training loss by step: of a training course one curve for each of its steps."""
    stages = outputs.list_training_steps()
    found = [build_metric_curve(f"training loss of {stage}", outputs.read_training_curve(stage)) for stage in stages]
    return found or [build_training_curve(outputs)]


def build_reliability_curve(bins: Sequence[Mapping[str, Any]]) -> Curve | None:
    """Return accuracy by confidence, a point per bin (Guo et al. 2017); None unless every record is such a bin."""
    if not all({"confidence", "accuracy"} <= record.keys() for record in bins):
        return None
    points = tuple((float(record["confidence"]), float(record["accuracy"])) for record in bins)
    summary = "accuracy by confidence; the diagonal is perfect calibration"
    return Curve("reliability", points, "confidence", "accuracy", summary, diagonal=True)
