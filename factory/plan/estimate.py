"""What a stage will take: time and memory from earlier runs here, with bounds; wide guesses when there are none."""

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
"""Kind of stage → least and most seconds, least and most MiB, where nothing was measured yet."""
UNCERTAINTY_FACTOR = 2.0
"""How far one measurement alone is trusted, as a factor each way; it narrows with the root of their number."""


class PastStage(Protocol):
    """One stage of an earlier run: how it ended, and what it took."""

    state: str
    seconds: float
    peak_mib: float


class PastRun(Protocol):
    """An earlier run: `factory.runs.run_view.RunView`, which stands above this layer."""

    name: str
    profile: str

    @property
    def stages(self) -> Mapping[str, PastStage]: ...


@dataclass(frozen=True, slots=True)
class ResourceEstimate:
    """Seconds and MiB with their bounds. `runs` earlier runs stand behind it; 0 makes it a guess."""

    seconds: float
    least: float
    most: float
    mib: float
    mib_least: float
    mib_most: float
    runs: int


def estimate_stage(stage: str, name: str, profile: str, earlier: Sequence[PastRun]) -> ResourceEstimate:
    """Of one stage, from runs of the same specialist and profile if there are any, else of any that had this stage."""
    done = [(run, run.stages[stage]) for run in earlier if stage in run.stages and run.stages[stage].state == "done"]
    alike = {
        1.0: [view for run, view in done if (run.name, run.profile) == (name, profile)],
        2.0: [view for run, view in done if run.name == name],
        5.0: [view for _, view in done],
    }
    for strange, same in alike.items():
        if same:
            return _estimate_from_runs(same, strange)
    least, most, mib_least, mib_most = DEFAULT_ESTIMATES.get(stage.partition("[")[0], (0.5, 3600, 100, 8000))
    return ResourceEstimate((least * most) ** 0.5, least, most, (mib_least * mib_most) ** 0.5, mib_least, mib_most, 0)


def _estimate_from_runs(views: Sequence[PastStage], strange: float) -> ResourceEstimate:
    """The median, and bounds that are the wider the fewer the runs and the less they are like this one."""
    times, sizes = [v.seconds for v in views], [v.peak_mib for v in views]
    factor = strange * (1 + (UNCERTAINTY_FACTOR - 1) / len(views) ** 0.5)
    return ResourceEstimate(
        median(times),
        min(times) / factor,
        max(times) * factor,
        median(sizes),
        min(sizes) / factor,
        max(sizes) * factor,
        len(views),
    )


def sum_estimates(estimates: Iterable[ResourceEstimate]) -> ResourceEstimate:
    """All stages one after another in one worker: times add up, memory is that of the largest."""
    every = list(estimates)
    if not every:
        return ResourceEstimate(0, 0, 0, 0, 0, 0, 0)
    return ResourceEstimate(
        sum(e.seconds for e in every),
        sum(e.least for e in every),
        sum(e.most for e in every),
        max(e.mib for e in every),
        max(e.mib_least for e in every),
        max(e.mib_most for e in every),
        min(e.runs for e in every),
    )
