"""How many stages of a build run side by side."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from factory.engine.executor import count_worker_threads
from factory.engine.worker_client import parse_quantity
from factory.runs.estimate import estimate_stage
from factory.runs.run_view import iterate_newest_runs
from factory.spec.fields import Budget


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
    limit = min(parse_quantity(budget.memory), measure_available_bytes()) / 2**20
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
