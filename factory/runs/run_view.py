"""Runs as views of their journals: the state of a run and its stages, folded from the events."""

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
SMOKE_PROFILE = "smoke"
"""Profile of few rows and little training: its verdict means nothing, and its bundle is no version."""
GATE_STAGE = "gate"
"""Only the runs of builds have this stage."""
START_TIME_TOLERANCE = 5.0
"""Seconds by which a process may appear to start after its run: the kernel's clocks are coarse."""


@dataclass(slots=True)
class StageView:
    """One stage of a run. Times are in seconds; `started` is since the epoch."""

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
    """Units per second since the first progress of this stage; 0 before the second."""
    first_progress: tuple[float, int] | None = None

    @property
    def is_done(self) -> bool:
        """Whether this run completed the stage."""
        return self.state == DONE

    @property
    def remaining_seconds(self) -> float | None:
        """The remaining seconds at the current rate; None if unknown."""
        return (self.total - self.done) / self.rate if self.total and self.rate > 0 else None

    def to_json(self) -> dict[str, Any]:
        names = ("name", "key", "state", "why", "error", "seconds", "cpu_seconds", "peak_mib", "done", "total", "unit")
        return {name: getattr(self, name) for name in names}


@dataclass(slots=True)
class RunView:
    """A run, updated event by event with `apply`. Fields have their defaults until an event sets them."""

    id: str = ""
    name: str = ""
    task: str = ""
    spec: str = ""
    profile: str = ""
    factory: str = ""
    pid: int = 0
    started: float = 0.0
    last_event_at: float = 0.0
    plan: list[dict[str, Any]] = field(default_factory=list)
    resolved: list[dict[str, Any]] = field(default_factory=list)
    stages: dict[str, StageView] = field(default_factory=dict)
    measurements: dict[str, dict[int, dict[str, float]]] = field(default_factory=dict)
    """Stage → step → the last values measured at that step."""
    notes: list[tuple[str, str, str]] = field(default_factory=list)
    """(stage, level, text), in the order of stages, also of stages that ran side by side"""
    end: events.RunFinished | None = None

    def apply(self, at: float, event: events.Event) -> None:
        """Update the run by one event. Unknown events of a newer version are ignored."""
        self.last_event_at = max(self.last_event_at, at)
        match event:
            case events.RunStarted():
                self._apply_run_started(at, event)
            case events.Measured():
                self.measurements.setdefault(event.stage, {}).setdefault(event.step, {}).update(event.values)
            case events.Noted():
                self._insert_note(event)
            case events.RunFinished():
                self.end = event
                self.mark_running_stages_stopped()
            case _:
                self._apply_stage_event(at, event)

    def _apply_run_started(self, at: float, event: events.RunStarted) -> None:
        self.id, self.name, self.task, self.spec = event.run, event.name, event.task, event.spec
        self.profile, self.factory, self.pid, self.started = event.profile, event.factory, event.pid, at
        self.plan, self.resolved = event.plan, event.resolved
        self.stages = {s["name"]: StageView(s["name"], s.get("key", "")) for s in event.plan if "name" in s}

    def _insert_note(self, event: events.Noted) -> None:
        position = {name: number for number, name in enumerate(self.stages)}
        own, place = position.get(event.stage, len(position)), len(self.notes)
        while place and position.get(self.notes[place - 1][0], -1) > own:
            place -= 1
        self.notes.insert(place, (event.stage, event.level, event.text))

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
        """The state as `derive_run_state` returns it."""
        return derive_run_state(self.end.exit_code if self.end else None, self.pid, self.started)

    @property
    def is_smoke(self) -> bool:
        """Whether this is a trial with few rows, whose verdict means nothing."""
        return self.profile == SMOKE_PROFILE

    @property
    def is_finished_build(self) -> bool:
        """Whether a build ended with a verdict; runs of `data`, `advise` and `review` have no gate."""
        return GATE_STAGE in self.stages and bool(self.verdict)

    @property
    def verdict(self) -> str:
        """The verdict of the gate; empty until the run ends with one."""
        return self.end.verdict if self.end else ""

    @property
    def seconds(self) -> float:
        """The wall time of the run, so far if it is running."""
        if self.end is not None:
            return self.end.seconds
        return max(0.0, (time.time() if self.state == RUNNING else self.last_event_at) - self.started)

    def summarise_run(self) -> dict[str, Any]:
        """Return the first fields of a run in JSON output."""
        return {
            "run": self.id, "name": self.name, "task": self.task, "profile": self.profile, "state": self.state,
            "verdict": self.verdict, "seconds": round(self.seconds, 3),
        }

    def extract_curve(self, stage: str = "train", value: str = "loss") -> list[tuple[int, float]]:
        """Return (step, value) as measured by a stage, in order of steps."""
        # Copied, as another thread may add a step meanwhile.
        points = list(self.measurements.get(stage, {}).items())
        return sorted((step, values[value]) for step, values in points if value in values)

    def mark_running_stages_stopped(self) -> None:
        """Mark stages as stopped that still ran when the run ended or died."""
        for stage in self.stages.values():
            if stage.state == RUNNING:
                stage.state = STOPPED


def _update_stage_progress(view: StageView, at: float, done: int, total: int, unit: str) -> None:
    # A stage may count several things in turn: each starts a rate of its own.
    if view.first_progress is None or done < view.done or unit != view.unit:
        view.first_progress = (at, done)
    first_at, first_done = view.first_progress
    view.rate = (done - first_done) / (at - first_at) if at > first_at else 0.0
    view.done, view.total, view.unit = done, total, unit


def fold_events(run: str, lines: Iterable[tuple[float, events.Event]]) -> RunView:
    """Return a run from its events; `run` is its id in case the first line is lost."""
    view = RunView(id=run)
    for at, event in lines:
        view.apply(at, event)
    if view.end is None and view.state == DEAD:
        view.mark_running_stages_stopped()
    return view


def read_run(path: Path, *, brief: bool = False) -> RunView:
    """Read the run of a journal; with `brief`, without measurements and progress."""
    return fold_events(path.parent.name, journal.read_events(path, brief=brief))


def iterate_newest_runs(home: Path, *, brief: bool = False) -> Iterator[RunView]:
    """Read all runs one by one, newest first. A journal that was deleted or cannot be read is skipped."""
    for path in reversed(journal.list_journals(home)):
        with suppress(OSError):
            yield read_run(path, brief=brief)


def find_run(home: Path, text: str) -> RunView:
    """Find the run that `text` names: `latest`, an id, the start or end of one, or a specialist's name.

    `latest` is the newest build that reached a verdict, or without one the newest run. A specialist's name means
    its newest build, or without one its newest run, such as one of `factory advise`. Raises InputError if no run
    matches, or several do.
    """
    paths = {path.parent.name: path for path in reversed(journal.list_journals(home))}
    if not paths:
        raise InputError(f"no runs in {home}; `factory build SPEC` makes one")
    if text == "latest" and (latest := _find_latest_run(home)):
        return read_run(paths[latest])
    if text in paths:
        return read_run(paths[text])
    named = [run for run in paths if extract_specialist_name(run) == text]
    if named:
        builds = (run for run in named if GATE_STAGE in read_run(paths[run], brief=True).stages)
        return read_run(paths[next(builds, named[0])])
    matches = [run for run in paths if text and (run.startswith(text) or run.endswith(f"-{text}"))]
    if len(matches) > 1:
        more = ", …" if len(matches) > 5 else ""
        names = ", ".join(matches[:5])
        raise InputError(f"{text!r} matches {len(matches)} runs: {names}{more}; give more of the id")
    if not matches:
        raise InputError(f"no run {text!r}; newest: {', '.join(list(paths)[:3])} (`factory runs` lists all)")
    return read_run(paths[matches[0]])


def _find_latest_run(home: Path) -> str:
    """Return the id of the newest finished build, else of the newest run; empty if no journal can be read."""
    newest = ""
    for run in iterate_newest_runs(home, brief=True):
        if run.is_finished_build:
            return run.id
        newest = newest or run.id
    return newest


def extract_specialist_name(run: str) -> str:
    """Return the specialist of a run's id: `20261122-015700-icd-reranker-0f3a` → `icd-reranker`."""
    return "-".join(run.split("-")[2:-1])


def derive_run_state(exit_code: int | None, pid: int, started: float) -> str:
    """Return finished, interrupted or failed; without an exit code running, or dead if the process is gone."""
    if exit_code is None:
        return RUNNING if is_process_alive(pid, started) else DEAD
    if exit_code == INTERRUPTED:
        return INTERRUPTED_RUN
    return FINISHED if exit_code < BAD_INPUT else FAILED


def is_process_alive(pid: int, since: float) -> bool:
    """Return whether the process that started a run at `since` is alive; another one with the same pid is not it."""
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return isinstance(pid, int) and pid < 2**31
    started = _read_process_start(pid)
    return started is None or started <= since + START_TIME_TOLERANCE


def _read_process_start(pid: int) -> float | None:
    """Return the start time of a process, in seconds since the epoch; None on systems without /proc."""
    try:
        # Field 22, counted after the command in parentheses, which may itself contain spaces.
        ticks = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
        uptime = float(Path("/proc/uptime").read_text().split()[0])
        return time.time() - uptime + ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return None
