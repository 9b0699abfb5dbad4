"""What the screens share: the home, the index of its runs, the run that is looked at, the runs that are marked."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

from factory.runs.run_outputs import RunOutputs
from factory.runs.run_view import RUNNING, RunView
from factory.tui.estimates import Finish, earlier, finish
from factory.tui.index import Index
from factory.tui.watch import Watch, watch


@dataclass
class World:
    """The read model as a whole. Nothing in it writes, but the index of summaries."""

    home: Path
    clock: Callable[[], float] = time.time
    chosen: str = ""
    """The run that is looked at, by id."""
    marked: set[str] = field(default_factory=set)
    sides: list[str] = field(default_factory=list)
    """What was asked to be compared, as `factory compare` takes it; empty for the marked, or the chosen run's own."""
    watches: dict[str, Watch] = field(default_factory=dict)
    before: dict[str, list[RunView]] = field(default_factory=dict)
    finishes: dict[str, Finish] = field(default_factory=dict)
    behind: dict[str, Watch] = field(default_factory=dict)
    """Read models of `look_ahead` alone."""
    lock: Lock = field(default_factory=Lock)

    def __post_init__(self) -> None:
        self.index = Index(self.home).load()

    def run(self) -> str:
        """The chosen run, or the newest; empty when there is none."""
        if not self.chosen:
            self.chosen = next((one.id for one in self.index.all()), "")
        return self.chosen

    def watching(self, run: str) -> Watch:
        """The read model of one run, kept."""
        if run not in self.watches:
            self.watches[run] = watch(self.home, run)
        return self.watches[run]

    def evidence(self, run: str) -> RunOutputs:
        """What the stages of a run left. Only stages and their keys are asked of its view."""
        held = self.watching(run)
        if not held.past:
            held.all()
        return RunOutputs(self.home, held.settled())

    def look_ahead(self) -> dict[str, Finish]:
        """When the runs that are going on will be done. It reads journals of its own accord: call it from a thread."""
        with self.lock:
            found: dict[str, Finish] = {}
            for run in self.running():
                held = self.behind.setdefault(run, watch(self.home, run)).all().run
                if held.name not in self.before:
                    self.before[held.name] = earlier(self.home, held.name, self.index)
                when = finish(held, self.before[held.name], self.clock()) if held.end is None else None
                found |= {run: when} if when is not None else {}
            return found

    def running(self) -> list[str]:
        """Runs that are going on."""
        return [one.id for one in self.index.all() if one.state == RUNNING]

    def to_compare(self) -> list[str]:
        """What to compare: what was asked for, the marked runs, or the chosen run's contenders."""
        if self.sides:
            return list(self.sides)
        order = [one.id for one in self.index.all() if one.id in self.marked]
        return order if len(order) > 1 else [self.run()]

    def steps(self) -> Iterator[bool]:
        """One look at all runs, a run at a time."""
        yield from self.index.steps()

    def forget(self, gone: Sequence[str]) -> None:
        """Runs that were deleted are neither marked nor looked at any more."""
        self.marked -= set(gone)
        for run in gone:
            self.watches.pop(run, None)
        if self.chosen in gone:
            self.chosen = ""
