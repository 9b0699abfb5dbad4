"""When a run will be finished, with a range; and what its processes take of this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from factory.plan.estimate import estimate_stage, sum_estimates
from factory.runs import run_view
from factory.runs.run_view import RunView
from factory.tui.index import Index
from factory.views.formatting import format_seconds as spell

EARLIER = 5
"""Earlier runs that an estimate rests on; older ones were of another day."""
SLACK = (0.8, 1.6)
"""How far the rate of a stage that runs is trusted, down and up."""
TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Finish:
    """Seconds until the end, with bounds; `runs` earlier runs stand behind it, 0 makes it a guess."""

    seconds: float
    least: float
    most: float
    runs: int

    @property
    def said(self) -> str:
        """`4 min 10 s`, with a `~` when it is a guess."""
        return f"{'' if self.runs else '~'}{spell(self.seconds)}"

    @property
    def range(self) -> str:
        """`2 to 7 min`, in the unit of the longer."""
        for unit, size in (("h", 3600.0), ("min", 60.0)):
            if self.most >= size:
                return f"{self.least / size:.{int(self.least < size)}f} to {self.most / size:.0f} {unit}"
        return f"{self.least:.0f} to {self.most:.0f} s"


def earlier(home: Path, name: str, index: Index) -> list[RunView]:
    """The newest runs with a verdict of a specialist; of others when it has none."""
    ended = [one for one in index.all() if one.verdict]
    chosen = [one for one in ended if one.name == name][:EARLIER] or ended[:EARLIER]
    found = []
    for one in chosen:
        try:
            found.append(run_view.read_run(home / "runs" / one.id / "journal.jsonl"))
        except OSError:
            continue
    return found


def finish(view: RunView, before: Sequence[RunView], now: float) -> Finish | None:
    """When the stages that are left will be done; None when none is left."""
    open_stages = [s for s in view.stages.values() if s.state in (run_view.WAITING, run_view.RUNNING)]
    if not open_stages:
        return None
    costs = {s.name: estimate_stage(s.name, view.name, view.profile, before) for s in open_stages}
    whole = sum_estimates(costs.values())
    seconds, least, most = whole.seconds, whole.least, whole.most
    for stage in (s for s in open_stages if s.state == run_view.RUNNING):
        cost, gone = costs[stage.name], max(0.0, now - stage.started)
        left = stage.remaining_seconds
        bounds = (
            (left * SLACK[0], left, left * SLACK[1])
            if left is not None
            else (max(0.0, cost.least - gone), max(0.0, cost.seconds - gone), max(0.0, cost.most - gone))
        )
        least, seconds, most = (
            least - cost.least + bounds[0],
            seconds - cost.seconds + bounds[1],
            most - cost.most + bounds[2],
        )
    return Finish(seconds, least, most, whole.runs)


@dataclass(frozen=True, slots=True)
class Usage:
    """What a build and its worker hold now: bytes of memory, CPU seconds so far, and what the GPU says."""

    memory: int
    cpu: float
    gpu: str = ""


def usage(pid: int) -> Usage | None:
    """Of a process and all below it; None when it is gone, or the system does not tell."""
    family = _family(pid)
    if not family:
        return None
    return Usage(sum(memory for memory, _ in family), sum(cpu for _, cpu in family), gpu())


def _family(pid: int) -> list[tuple[int, float]]:
    """(bytes, CPU seconds) of a process and of its descendants."""
    parents: dict[int, list[int]] = {}
    held: dict[int, tuple[int, float]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        mine = int(entry.name)
        parents.setdefault(int(fields[1]), []).append(mine)
        held[mine] = (int(fields[21]) * PAGE, (int(fields[11]) + int(fields[12])) / TICKS)
    found, todo = [], [pid] if pid in held else []
    while todo:
        one = todo.pop()
        found.append(held[one])
        todo += parents.get(one, [])
    return found


def gpu() -> str:
    """`37 %, 4.1 of 80.0 GiB` of the first GPU; empty where there is none."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return ""
    asked = ["--query-gpu=utilization.gpu,memory.used,memory.total", "--format=csv,noheader,nounits"]
    try:
        said = subprocess.run([tool, *asked], capture_output=True, text=True, timeout=3, check=True).stdout
        busy, used, there = (float(part) for part in said.splitlines()[0].split(","))
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return ""
    return f"{busy:.0f} %, {used / 1024:.1f} of {there / 1024:.1f} GiB"
