"""Estimate of the time until a run finishes, and the memory, CPU time and GPU that its processes use."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from factory.runs import run_view
from factory.runs.estimate import estimate_stage, sum_estimates
from factory.runs.run_index import RunIndex
from factory.runs.run_view import RunView
from factory.views.formatting import format_seconds

MAX_EARLIER_RUNS = 5
"""Earlier runs that an estimate uses; older ones may come from other data or another machine."""
RATE_BOUNDS = (0.8, 1.6)
"""Factors that turn the remaining time of a running stage into a lower and an upper bound."""
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class RemainingTime:
    """Seconds until a run ends, with bounds. With `earlier_runs` 0 it rests on default estimates alone."""

    seconds: float
    low: float
    high: float
    earlier_runs: int

    @property
    def text(self) -> str:
        """`4 min 10 s`, with a `~` when no earlier run backs it."""
        return f"{'' if self.earlier_runs else '~'}{format_seconds(self.seconds)}"

    @property
    def range_text(self) -> str:
        """`2 to 7 min`, in the unit of the upper bound."""
        for unit, size in (("h", 3600.0), ("min", 60.0)):
            if self.high >= size:
                return f"{self.low / size:.{int(self.low < size)}f} to {self.high / size:.0f} {unit}"
        return f"{self.low:.0f} to {self.high:.0f} s"


def load_earlier_runs(home: Path, name: str, index: RunIndex) -> list[RunView]:
    """Return the newest runs of a specialist that reached a verdict; those of others when it has none."""
    finished = [run for run in index.list_runs() if run.verdict]
    newest = [run for run in finished if run.name == name][:MAX_EARLIER_RUNS] or finished[:MAX_EARLIER_RUNS]
    views = []
    for run in newest:
        try:
            views.append(run_view.read_run(home / "runs" / run.id / "journal.jsonl"))
        except OSError:
            continue
    return views


def estimate_remaining_time(view: RunView, earlier: Sequence[RunView], now: float) -> RemainingTime | None:
    """Estimate when the remaining stages will be done; None when none is left."""
    open_stages = [s for s in view.stages.values() if s.state in (run_view.WAITING, run_view.RUNNING)]
    if not open_stages:
        return None
    costs = {s.name: estimate_stage(s.name, view.name, view.profile, earlier) for s in open_stages}
    total = sum_estimates(costs.values())
    low, seconds, high = total.least, total.seconds, total.most
    # A running stage replaces its own estimate: by its measured rate if it has one, else less the time it has run.
    for stage in (s for s in open_stages if s.state == run_view.RUNNING):
        cost, elapsed, left = costs[stage.name], max(0.0, now - stage.started), stage.remaining_seconds
        if left is None:
            bounds = [max(0.0, value - elapsed) for value in (cost.least, cost.seconds, cost.most)]
        else:
            bounds = [left * RATE_BOUNDS[0], left, left * RATE_BOUNDS[1]]
        low += bounds[0] - cost.least
        seconds += bounds[1] - cost.seconds
        high += bounds[2] - cost.most
    return RemainingTime(seconds, low, high, total.runs)


@dataclass(frozen=True, slots=True)
class ProcessUsage:
    """Resident memory and CPU time of a build with its worker processes, and the state of the GPU."""

    memory_bytes: int
    cpu_seconds: float
    gpu: str = ""


def measure_process_usage(pid: int) -> ProcessUsage | None:
    """Measure a process with its descendants; None when it has ended, or the system has no /proc."""
    tree = _read_process_tree(pid)
    if not tree:
        return None
    return ProcessUsage(sum(memory for memory, _ in tree), sum(cpu for _, cpu in tree), read_gpu_usage())


def _read_process_tree(pid: int) -> list[tuple[int, float]]:
    """Return (resident bytes, CPU seconds) of a process and of its descendants."""
    children: dict[int, list[int]] = {}
    usage: dict[int, tuple[int, float]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            # The second field, the command, may contain blanks and brackets: count from its last bracket.
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        process = int(entry.name)
        # After the command: 1 is the parent, 11 and 12 are user and system ticks, 21 is resident pages (proc(5)).
        children.setdefault(int(fields[1]), []).append(process)
        usage[process] = (int(fields[21]) * PAGE_BYTES, (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND)
    tree, queue = [], [pid] if pid in usage else []
    while queue:
        process = queue.pop()
        tree.append(usage[process])
        queue += children.get(process, [])
    return tree


def read_gpu_usage() -> str:
    """Return `37 %, 4.1 of 80.0 GiB` for the first GPU; empty where there is none."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return ""
    query = ["--query-gpu=utilization.gpu,memory.used,memory.total", "--format=csv,noheader,nounits"]
    try:
        output = subprocess.run([tool, *query], capture_output=True, text=True, timeout=3, check=True).stdout
        busy, used, total = (float(value) for value in output.splitlines()[0].split(","))
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return ""
    return f"{busy:.0f} %, {used / 1024:.1f} of {total / 1024:.1f} GiB"
