"""Estimates of time and memory of a stage: from earlier runs, or wide defaults if there are none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Protocol

DEFAULT_ESTIMATES: dict[str, tuple[float, float, float, float]] = {
    "base": (1, 300, 100, 1500),
    "gather": (0.5, 120, 100, 2000),
    "prepare": (1, 600, 300, 4000),
    "freeze": (0.1, 60, 100, 2000),
    "synthesize": (0.1, 1800, 100, 4000),
    "curate": (0.5, 300, 100, 4000),
    "review": (0.1, 60, 100, 2000),
    "preflight": (1, 300, 300, 4000),
    "train": (10, 7200, 500, 16000),
    "answer": (0.5, 1800, 300, 8000),
    "score": (0.2, 120, 100, 2000),
    "gate": (0.5, 60, 100, 1000),
    "bundle": (1, 120, 300, 4000),
    "baseline_trial": (0.5, 600, 300, 8000),
    "advice": (0.1, 30, 100, 2000),
    "certify": (5, 300, 500, 4000),
}
"""Stage kind → (min seconds, max seconds, min MiB, max MiB) before the first run."""
UNCERTAINTY_FACTOR = 2.0
"""Bounds after a single run, as a factor each way; they narrow with the square root of the number of runs."""


class PastStage(Protocol):
    """One stage of an earlier run: its time, its peak memory, and whether it ran to its end."""

    seconds: float
    peak_mib: float

    @property
    def is_done(self) -> bool: ...


class PastRun(Protocol):
    """An earlier run; implemented by `factory.runs.run_view.RunView`, which this layer may not import."""

    name: str
    profile: str

    @property
    def stages(self) -> Mapping[str, PastStage]: ...


@dataclass(frozen=True, slots=True)
class ResourceEstimate:
    """Seconds and MiB with bounds, from `runs` earlier runs (0: a default)."""

    seconds: float
    least: float
    most: float
    mib: float
    mib_least: float
    mib_most: float
    runs: int


def estimate_stage(stage: str, name: str, profile: str, earlier: Sequence[PastRun]) -> ResourceEstimate:
    """Estimate a stage from runs of the same specialist and profile, else of the specialist, else of any."""
    done = [(run, run.stages[stage]) for run in earlier if stage in run.stages and run.stages[stage].is_done]
    # Factor by which the bounds widen → runs: the less similar the runs, the wider.
    runs_by_factor = {
        1.0: [view for run, view in done if (run.name, run.profile) == (name, profile)],
        2.0: [view for run, view in done if run.name == name],
        5.0: [view for _, view in done],
    }
    for factor, views in runs_by_factor.items():
        if views:
            return _estimate_from_runs(views, factor)
    least, most, mib_least, mib_most = DEFAULT_ESTIMATES.get(stage.partition("[")[0], (0.5, 3600, 100, 8000))
    # The geometric mean, as the bounds are orders of magnitude apart.
    return ResourceEstimate((least * most) ** 0.5, least, most, (mib_least * mib_most) ** 0.5, mib_least, mib_most, 0)


def _estimate_from_runs(views: Sequence[PastStage], dissimilarity: float) -> ResourceEstimate:
    """Return medians, with bounds that widen for few and dissimilar runs."""
    times, sizes = [view.seconds for view in views], [view.peak_mib for view in views]
    factor = dissimilarity * (1 + (UNCERTAINTY_FACTOR - 1) / len(views) ** 0.5)
    return ResourceEstimate(
        median(times), min(times) / factor, max(times) * factor,
        median(sizes), min(sizes) / factor, max(sizes) * factor, len(views),
    )


def sum_estimates(estimates: Iterable[ResourceEstimate]) -> ResourceEstimate:
    """Combine stages that run one after another in one worker: sum of times, maximum of memory."""
    stages = list(estimates)
    if not stages:
        return ResourceEstimate(0, 0, 0, 0, 0, 0, 0)
    seconds, least, most = (sum(getattr(e, name) for e in stages) for name in ("seconds", "least", "most"))
    mib, mib_least, mib_most = (max(getattr(e, name) for e in stages) for name in ("mib", "mib_least", "mib_most"))
    return ResourceEstimate(seconds, least, most, mib, mib_least, mib_most, min(e.runs for e in stages))
