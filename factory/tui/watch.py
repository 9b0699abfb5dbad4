"""One run, followed as it is written: folded as `factory show` folds it, with its curves and its past."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from dataclasses import dataclass, field
from pathlib import Path

from factory import events
from factory.runs.run_view import DEAD, RunView
from factory.store import journal
from factory.tui.tail import Tail

CLOSE = 0.25
"""Seconds within which only the last of a stage's progress lines is kept for the replay."""


@dataclass
class Series:
    """What was measured under one name in one stage, in the order of writing; 24 bytes a point."""

    at: array[float] = field(default_factory=lambda: array("d"))
    steps: array[float] = field(default_factory=lambda: array("d"))
    values: array[float] = field(default_factory=lambda: array("d"))

    def add(self, at: float, step: int, value: float) -> None:
        """One more point."""
        self.at.append(at)
        self.steps.append(step)
        self.values.append(value)

    def until(self, at: float | None) -> list[tuple[float, float]]:
        """(step, value) up to a moment, a step measured twice once, in the order of steps."""
        end = len(self.at) if at is None else bisect_right(self.at, at)
        return sorted(dict(zip(self.steps[:end], self.values[:end], strict=True)).items())

    def last(self, at: float | None = None) -> float | None:
        """The newest value up to a moment."""
        end = len(self.at) if at is None else bisect_right(self.at, at)
        return self.values[end - 1] if end else None


@dataclass
class _Folded(RunView):
    """A run without what was measured: that is kept in `Series`."""

    def apply(self, at: float, event: events.Event) -> None:
        if isinstance(event, events.Measured):
            self.last_event_at = max(self.last_event_at, at)
        else:
            super().apply(at, event)


@dataclass
class Watch:
    """The read model of one run. `look` takes in what is new and says whether there was anything."""

    path: Path
    run: RunView = field(default_factory=_Folded)
    series: dict[tuple[str, str], Series] = field(default_factory=dict)
    """(stage, name) → points."""
    past: list[tuple[float, events.Event]] = field(default_factory=list)
    """All events but the measured ones, thinned."""
    notes: list[tuple[float, str, str, str]] = field(default_factory=list)
    """(when, stage, level, text)"""
    strange: dict[str, int] = field(default_factory=dict)
    """Types of events of a newer factory, and how often."""

    def __post_init__(self) -> None:
        self.tail = Tail(self.path)
        self.run.id = self.path.parent.name

    def look(self) -> bool:
        """Take in what was written since; whether anything was."""
        fresh, found = self.tail.look()
        if fresh:
            self._forget()
        for at, event in found:
            self._take(at, event)
        return fresh or bool(found)

    def all(self) -> Watch:
        """Read to the present end."""
        while self.look() and not self.tail.caught_up:
            pass
        return self

    def _forget(self) -> None:
        self.run = _Folded(id=self.path.parent.name)
        for held in (self.series, self.past, self.notes, self.strange):
            held.clear()

    def _take(self, at: float, event: events.Event) -> None:
        self.run.apply(at, event)
        match event:
            case events.Measured(stage=stage, step=step, values=values):
                for name, value in values.items():
                    self.series.setdefault((stage, name), Series()).add(at, step, value)
                return
            case events.Noted(stage=stage, level=level, text=text):
                self.notes.append((at, stage, level, text))
            case events.UnknownEvent(type=kind):
                self.strange[kind] = self.strange.get(kind, 0) + 1
            case events.Progress() if self._close(at, event):
                self.past.pop()
        self.past.append((at, event))

    def _close(self, at: float, event: events.Progress) -> bool:
        """Whether the last event is of the same progress, a moment ago; the first of a stage always stays."""
        if len(self.past) < 2:
            return False
        (before, last), (_, first) = self.past[-1], self.past[-2]
        alike = isinstance(last, events.Progress) and last.stage == event.stage and isinstance(first, events.Progress)
        return alike and at - before < CLOSE

    @property
    def bounds(self) -> tuple[float, float]:
        """When it began, and when the last line was written."""
        return self.run.started, max(self.run.started, self.run.last_event_at)

    def at(self, moment: float) -> RunView:
        """The run as it stood at a moment of its past."""
        view = _Folded(id=self.run.id)
        for at, event in self.past:
            if at > moment:
                break
            view.apply(at, event)
        return view

    def settled(self) -> RunView:
        """The run now; the stages of one whose process died no longer run."""
        if self.run.end is None and self.run.state == DEAD:
            self.run.mark_running_stages_stopped()
        return self.run

    def curve(self, name: str, stage: str = "train", at: float | None = None) -> list[tuple[float, float]]:
        """(step, value) of what was measured, up to a moment."""
        found = self.series.get((stage, name))
        return found.until(at) if found else []

    def names(self, stage: str = "train") -> list[str]:
        """What was measured in a stage."""
        return [name for where, name in self.series if where == stage]


def watch(home: Path, run: str) -> Watch:
    """The read model of a run by its id, not yet read."""
    return Watch(home / "runs" / run / journal.JOURNAL_FILE)
