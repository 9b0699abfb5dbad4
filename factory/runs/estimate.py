"""Estimates of the time and memory of a stage, from earlier runs, or else the first guess of its kind."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from factory.plan.seed_names import strip_stage_seed
from factory.plan.stage_kinds import find_stage_kind
from factory.runs.run_view import RunView, StageView

UNCERTAINTY_FACTOR = 2.0
"""Bounds after a single run, as a factor each way; they narrow with the square root of the number of runs."""


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


def estimate_stage(stage: str, name: str, profile: str, earlier: Sequence[RunView]) -> ResourceEstimate:
    """Estimate a stage from runs of the same specialist and profile, else of the specialist, else of any.

    Each of several seeds stands for a training with one, and the other way round.
    """
    found = [(run, past) for run in earlier if (past := _find_past_stage(run, stage)) is not None]
    done = [(run, past) for run, past in found if past.is_done]
    # Factor by which the bounds widen → runs: the less similar the runs, the wider.
    runs_by_factor = {
        1.0: [past for run, past in done if (run.name, run.profile) == (name, profile)],
        2.0: [past for run, past in done if run.name == name],
        5.0: [past for _, past in done],
    }
    for dissimilarity, stages in runs_by_factor.items():
        if stages:
            times, sizes = [past.seconds for past in stages], [past.peak_mib for past in stages]
            factor = dissimilarity * (1 + (UNCERTAINTY_FACTOR - 1) / len(stages) ** 0.5)
            return ResourceEstimate(
                median(times), min(times) / factor, max(times) * factor,
                median(sizes), min(sizes) / factor, max(sizes) * factor, len(stages),
            )
    kind = find_stage_kind(stage)
    (least, most), (mib_least, mib_most) = kind.seconds, kind.mib
    # The geometric mean, as the bounds are orders of magnitude apart.
    return ResourceEstimate((least * most) ** 0.5, least, most, (mib_least * mib_most) ** 0.5, mib_least, mib_most, 0)


def _find_past_stage(run: RunView, stage: str) -> StageView | None:
    """Return the stage of an earlier run; where that one or this one is of several seeds, the first that trained."""
    if stage in run.stages and strip_stage_seed(stage) != stage:
        return run.stages[stage]
    # In the order of a plan: what only hands on the chosen seed's output comes after the seeds.
    return next((view for name, view in run.stages.items() if strip_stage_seed(name) == strip_stage_seed(stage)), None)


def sum_estimates(estimates: Iterable[ResourceEstimate]) -> ResourceEstimate:
    """Combine stages that run one after another in one worker: sum of times, maximum of memory."""
    stages = list(estimates)
    seconds, least, most = (sum(getattr(e, name) for e in stages) for name in ("seconds", "least", "most"))
    names = ("mib", "mib_least", "mib_most")
    mib, mib_least, mib_most = (max((getattr(e, name) for e in stages), default=0) for name in names)
    runs = min((e.runs for e in stages), default=0)
    return ResourceEstimate(seconds, least, most, mib, mib_least, mib_most, runs)
