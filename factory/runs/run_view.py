"""The read side of journals: what a run is, or was, folded from its events. Whoever shows a run reads this."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from factory import events
from factory.errors import BAD_INPUT, INTERRUPTED, InputError
from factory.store import journal

WAITING, CACHED, RUNNING, DONE, FAILED, STOPPED = "waiting", "cached", "running", "done", "failed", "stopped"
FINISHED, INTERRUPTED_RUN, DEAD = "finished", "interrupted", "dead"
GATE_STAGE = "gate"
"""The stage that tells a build from a run of rows alone."""
START_TIME_TOLERANCE = 5.0
"""Seconds by which a process may seem to start after the run that it wrote: clocks of the kernel are coarse."""


@dataclass(slots=True)
class StageView:
    """One stage of a run as far as the journal tells. Times are seconds; `started` is since the epoch."""

    name: str
    key: str = ""
    state: str = WAITING
    why: str = ""
    error: str = ""
    started: float = 0.0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_mib: float = 0.0
    done: int = 0
    total: int = 0
    unit: str = ""
    rate: float = 0.0
    """Units a second since the first progress of this stage; 0 until two are known."""
    first_progress: tuple[float, int] | None = None

    @property
    def is_done(self) -> bool:
        """Whether the stage ran to its end in this run."""
        return self.state == DONE

    @property
    def remaining_seconds(self) -> float | None:
        """Seconds that remain at the present rate, or None when nobody knows."""
        return (self.total - self.done) / self.rate if self.total and self.rate > 0 else None

    def to_json(self) -> dict[str, Any]:
        """The stage as `--json` lists it."""
        named = ("name", "key", "state", "why", "error", "seconds", "cpu_seconds", "peak_mib", "done", "total", "unit")
        return {name: getattr(self, name) for name in named}


@dataclass(slots=True)
class RunView:
    """A run, folded event by event with `apply`. All fields stay at their defaults until an event fills them."""

    id: str = ""
    name: str = ""
    task: str = ""
    spec: str = ""
    profile: str = ""
    factory: str = ""
    pid: int = 0
    started: float = 0.0
    last_event_at: float = 0.0
    """When the last event was written."""
    plan: list[dict[str, Any]] = field(default_factory=list)
    resolved: list[dict[str, Any]] = field(default_factory=list)
    stages: dict[str, StageView] = field(default_factory=dict)
    measurements: dict[str, dict[int, dict[str, float]]] = field(default_factory=dict)
    """Stage → step → what was measured; a step measured twice counts once, the last time."""
    notes: list[tuple[str, str, str]] = field(default_factory=list)
    """(stage, level, text)"""
    end: events.RunFinished | None = None

    def apply(self, at: float, event: events.Event) -> None:
        """Take one event in. What a newer factory wrote is passed over."""
        self.last_event_at = max(self.last_event_at, at)
        match event:
            case events.RunStarted():
                self._apply_run_started(at, event)
            case events.Measured():
                self.measurements.setdefault(event.stage, {})[event.step] = dict(event.values)
            case events.Noted():
                self.notes.append((event.stage, event.level, event.text))
            case events.RunFinished():
                self._apply_run_finished(event)
            case _:
                self._apply_stage_event(at, event)

    def _apply_run_started(self, at: float, event: events.RunStarted) -> None:
        self.id, self.name, self.task, self.spec = event.run, event.name, event.task, event.spec
        self.profile, self.factory, self.pid, self.started = event.profile, event.factory, event.pid, at
        self.plan, self.resolved = event.plan, event.resolved
        self.stages = {s["name"]: StageView(s["name"], s.get("key", "")) for s in event.plan if "name" in s}

    def _apply_run_finished(self, event: events.RunFinished) -> None:
        self.end = event
        for stage in self.stages.values():
            if stage.state == RUNNING:
                stage.state = STOPPED

    def _apply_stage_event(self, at: float, event: events.Event) -> None:
        name = getattr(event, "stage", None)
        if not isinstance(name, str):
            return
        view = self.stages.setdefault(name, StageView(name))
        match event:
            case events.StageCached(key=key):
                view.key, view.state = key, CACHED
            case events.StageStarted(key=key, why=why):
                view.key, view.state, view.why, view.started, view.first_progress = key, RUNNING, why, at, None
            case events.Progress(done=done, total=total, unit=unit):
                _update_stage_progress(view, at, done, total, unit)
            case events.StageFinished(seconds=seconds, cpu_seconds=cpu, peak_mib=peak):
                view.state, view.seconds, view.cpu_seconds, view.peak_mib = DONE, seconds, cpu, peak
            case events.StageFailed(error=error):
                view.state, view.error, view.seconds = FAILED, error, max(0.0, at - view.started)

    @property
    def state(self) -> str:
        """As `state_of` says."""
        return derive_run_state(self.end.exit_code if self.end else None, self.pid, self.started)

    @property
    def verdict(self) -> str:
        """The gate's word; empty until the run ended with one."""
        return self.end.verdict if self.end else ""

    @property
    def seconds(self) -> float:
        """Wall time so far, or in all."""
        if self.end is not None:
            return self.end.seconds
        return max(0.0, (time.time() if self.state == RUNNING else self.last_event_at) - self.started)

    def summarise_run(self) -> dict[str, Any]:
        """What a list of runs, and the outcome of one, begin with."""
        return {
            "run": self.id, "name": self.name, "task": self.task, "profile": self.profile, "state": self.state,
            "verdict": self.verdict, "seconds": round(self.seconds, 3),
        }

    def extract_curve(self, stage: str = "train", value: str = "loss") -> list[tuple[int, float]]:
        """(step, value) as measured by a stage, in order of steps."""
        points = list(self.measurements.get(stage, {}).items())
        return sorted((step, values[value]) for step, values in points if value in values)

    def mark_running_stages_stopped(self) -> None:
        """Say of the stages of a dead run that they no longer run."""
        for stage in self.stages.values():
            if stage.state == RUNNING:
                stage.state = STOPPED


def _update_stage_progress(view: StageView, at: float, done: int, total: int, unit: str) -> None:
    if view.first_progress is None or done < view.done or unit != view.unit:
        view.first_progress = (at, done)
    since, begun = view.first_progress
    view.rate = (done - begun) / (at - since) if at > since else 0.0
    view.done, view.total, view.unit = done, total, unit


def fold_events(run: str, lines: Iterable[tuple[float, events.Event]]) -> RunView:
    """A run from its events; `run` is its id in case the first line is lost."""
    view = RunView(id=run)
    for at, event in lines:
        view.apply(at, event)
    if view.end is None and view.state == DEAD:
        view.mark_running_stages_stopped()
    return view


def read_run(path: Path, *, brief: bool = False) -> RunView:
    """The run whose journal this is; a `brief` one without what was measured and how far it came."""
    return fold_events(path.parent.name, journal.read_events(path, brief=brief))


def iterate_newest_runs(home: Path, *, brief: bool = False) -> Iterator[RunView]:
    """All runs, newest first, read one by one. A journal that vanishes, or can not be read, is passed over."""
    for path in reversed(journal.list_journals(home)):
        with suppress(OSError):
            yield read_run(path, brief=brief)


def find_run(home: Path, text: str) -> RunView:
    """The run that `text` means: `latest`, an id, the start or the end of one, or a specialist's name.

    A name means its newest build, or where there is none its newest run, which made rows alone or gave advice.
    Raises InputError when there is none, or when several ids start so.
    """
    paths = {path.parent.name: path for path in reversed(journal.list_journals(home))}
    if not paths:
        raise InputError(f"no runs in {home}; `factory build SPEC` makes one")
    if text == "latest" and (found := next(iterate_newest_runs(home), None)):
        return found
    if text in paths:
        return read_run(paths[text])
    named = [run for run in paths if extract_specialist_name(run) == text]
    if named:
        return read_run(
            paths[next((run for run in named if GATE_STAGE in read_run(paths[run], brief=True).stages), named[0])]
        )
    near = [run for run in paths if text and (run.startswith(text) or run.endswith(f"-{text}"))]
    if len(near) != 1:
        raise InputError(_describe_missing_run(text, near, list(paths)))
    return read_run(paths[near[0]])


def extract_specialist_name(run: str) -> str:
    """The specialist of a run's id: `20261122-015700-icd-reranker-0f3a` → `icd-reranker`."""
    return "-".join(run.split("-")[2:-1])


def _describe_missing_run(text: str, near: list[str], known: list[str]) -> str:
    if near:
        more = ", …" if len(near) > 5 else ""
        return f"{text!r} means {len(near)} runs: {', '.join(near[:5])}{more}; say more of the id"
    return f"no run {text!r}; the newest are {', '.join(known[:3])} (`factory runs` lists all)"


def derive_run_state(exit_code: int | None, pid: int, started: float) -> str:
    """`running`, `finished`, `failed`, `interrupted`, or `dead` when its process is gone without a last word: None."""
    if exit_code is None:
        return RUNNING if is_process_alive(pid, started) else DEAD
    if exit_code == INTERRUPTED:
        return INTERRUPTED_RUN
    return FINISHED if exit_code < BAD_INPUT else FAILED


def is_process_alive(pid: int, since: float) -> bool:
    """Whether the process that began a run at `since` still lives; one that took over its number does not count."""
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return isinstance(pid, int) and pid < 2**31
    born = _read_process_start(pid)
    return born is None or born <= since + START_TIME_TOLERANCE


def _read_process_start(pid: int) -> float | None:
    """When a process started, in seconds since the epoch; None where the system does not tell."""
    try:
        ticks = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
        up = float(Path("/proc/uptime").read_text().split()[0])
        return time.time() - up + ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return None
