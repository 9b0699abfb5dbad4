"""State that the screens share: the run index, the selected and marked runs, the journals being followed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

from factory.runs.run_index import RunIndex
from factory.runs.run_outputs import RunOutputs
from factory.runs.run_view import RUNNING, RunView
from factory.tui.estimates import RemainingTime, estimate_remaining_time, load_earlier_runs
from factory.tui.run_watcher import RunWatcher, watch_run


@dataclass
class AppState:
    """Everything the screens read. Writes nothing but the cached run index."""

    home: Path
    clock: Callable[[], float] = time.time
    selected_run: str = ""
    """Id of the run that the screens show."""
    marked_runs: set[str] = field(default_factory=set)
    compared: list[str] = field(default_factory=list)
    """Arguments as of `factory compare`; empty to compare the marked runs, or the selected run's contenders."""
    watchers: dict[str, RunWatcher] = field(default_factory=dict)
    earlier_runs: dict[str, list[RunView]] = field(default_factory=dict)
    remaining_times: dict[str, RemainingTime] = field(default_factory=dict)
    background_watchers: dict[str, RunWatcher] = field(default_factory=dict)
    """Watchers of `estimate_remaining_times`, which runs in a thread and must not share those of the screens."""
    worst_first: bool = False
    """Whether the Compare screen starts at the rows that A lost."""
    to_try: list[str] = field(default_factory=list)
    """Specialists that the Try screen preselects."""
    estimate_lock: Lock = field(default_factory=Lock)

    def __post_init__(self) -> None:
        self.index = RunIndex(self.home).load()

    def get_run_id(self) -> str:
        """Return the selected run, else the newest; empty when there is none."""
        if not self.selected_run:
            self.selected_run = next((run.id for run in self.index.list_runs()), "")
        return self.selected_run

    def get_watcher(self, run: str) -> RunWatcher:
        """Return the watcher of a run, created once."""
        if run not in self.watchers:
            self.watchers[run] = watch_run(self.home, run)
        return self.watchers[run]

    def get_run_outputs(self, run: str) -> RunOutputs:
        """Return the stage outputs of a run. It needs only the plan's stages and keys, so a view read once will do."""
        watcher = self.get_watcher(run)
        if not watcher.history:
            watcher.read_all()
        return RunOutputs(self.home, watcher.get_view())

    def estimate_remaining_times(self) -> dict[str, RemainingTime]:
        """Estimate when the active runs will finish. Reads journals: call it from a thread."""
        # A new estimate may start while the last is still reading journals.
        with self.estimate_lock:
            estimates: dict[str, RemainingTime] = {}
            for run in self.list_running():
                view = self.background_watchers.setdefault(run, watch_run(self.home, run)).read_all().view
                if view.name not in self.earlier_runs:
                    self.earlier_runs[view.name] = load_earlier_runs(self.home, view.name, self.index)
                if view.end is None:
                    estimate = estimate_remaining_time(view, self.earlier_runs[view.name], self.clock())
                    estimates |= {run: estimate} if estimate is not None else {}
            return estimates

    def list_running(self) -> list[str]:
        """Return the ids of the active runs."""
        return [run.id for run in self.index.list_runs() if run.state == RUNNING]

    def list_compared(self) -> list[str]:
        """Return what to compare: `compared`, else two or more marked runs, else the selected run."""
        if self.compared:
            return list(self.compared)
        marked = [run.id for run in self.index.list_runs() if run.id in self.marked_runs]
        return marked if len(marked) > 1 else [self.get_run_id()]

    def drop_runs(self, deleted: Sequence[str]) -> None:
        """Unmark and deselect deleted runs."""
        self.marked_runs -= set(deleted)
        for run in deleted:
            self.watchers.pop(run, None)
        if self.selected_run in deleted:
            self.selected_run = ""
