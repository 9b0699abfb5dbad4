"""How many stages of a build run side by side, and what such a build takes."""

from __future__ import annotations

import heapq
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from factory.engine.executor import count_worker_threads
from factory.engine.stage_graph import StageGraph
from factory.plan.compiler import Plan
from factory.runs.estimate import ResourceEstimate, estimate_stage
from factory.runs.run_view import iterate_newest_runs
from factory.spec.fields import Budget
from factory.store.machine_memory import parse_memory_limit


def choose_parallel(budget: Budget, stages: Iterable[str], name: str, profile: str, home: Path) -> int:
    """Return `budget.parallel`, or for `auto` the number of workers that cores and memory allow, at least 1.

    A worker takes `budget.threads` cores, and so all of them by default. The memory of `stages`, those to run, is the
    upper bound of the estimate from the runs of `home`: a wrong guess costs time, but memory that runs out ends the
    build. The memory of a GPU is not counted.
    """
    if budget.parallel != "auto":
        return budget.parallel
    by_cores = (os.cpu_count() or 1) // count_worker_threads(budget)
    if by_cores < 2:
        return 1
    earlier = list(iterate_newest_runs(home, brief=True))
    limit = min(parse_memory_limit(budget.memory), measure_available_bytes()) / 2**20
    sizes = sorted((estimate_stage(stage, name, profile, earlier).mib_most for stage in stages), reverse=True)
    fitting = [count for count in range(1, len(sizes) + 1) if sum(sizes[:count]) <= limit]
    return max(1, min(by_cores, max(fitting, default=1)))


def measure_available_bytes() -> float:
    """Return the memory that new processes can have without swapping; infinite without /proc."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(float(line.split()[1]) * 2**10 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        return float("inf")


def estimate_build(plan: Plan, to_run: Mapping[str, ResourceEstimate], parallel: int) -> ResourceEstimate:
    """Combine the estimates of the stages to run, by name: the time with `parallel` at once, the memory of the largest.

    A stage is assumed to take as long beside another one as alone.
    """
    seconds, least, most = (
        _simulate_build(plan, {name: getattr(cost, bound) for name, cost in to_run.items()}, parallel)
        for bound in ("seconds", "least", "most")
    )
    mib, mib_least, mib_most = (
        sum(sorted((getattr(cost, bound) for cost in to_run.values()), reverse=True)[:parallel])
        for bound in ("mib", "mib_least", "mib_most")
    )
    runs = min((cost.runs for cost in to_run.values()), default=0)
    return ResourceEstimate(seconds, least, most, mib, mib_least, mib_most, runs)


def _simulate_build(plan: Plan, seconds: Mapping[str, float], parallel: int) -> float:
    """Return the seconds until the last stage ends; a stage without an entry takes none."""
    graph, ends, now = StageGraph(plan), list[tuple[float, str]](), 0.0
    while not graph.is_finished:
        stage = graph.start_next() if graph.running_count < parallel else None
        if stage is not None:
            heapq.heappush(ends, (now + seconds.get(stage.name, 0.0), stage.name))
        else:
            now, name = heapq.heappop(ends)
            graph.finish(name)
    return now
