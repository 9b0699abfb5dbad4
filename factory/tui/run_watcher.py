"""Read model of one run, updated while its journal is written: state, metric curves, notes and history."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from dataclasses import dataclass, field
from pathlib import Path

from factory import events
from factory.plan.step_names import list_step_stages
from factory.runs.run_view import DEAD, RunView
from factory.store import journal
from factory.tui.follow import JournalFollower

MERGE_SECONDS = 0.25
"""Progress events of a stage that follow each other faster than this are kept once in the history."""
MERGE_EVENTS = 32
"""Last events among which the progress of a stage is looked for, as stages that run side by side alternate."""


@dataclass
class MetricSeries:
    """Values of one metric in one stage, in the order of writing; 24 bytes a point."""

    times: array[float] = field(default_factory=lambda: array("d"))
    steps: array[float] = field(default_factory=lambda: array("d"))
    values: array[float] = field(default_factory=lambda: array("d"))

    def add(self, at: float, step: int, value: float) -> None:
        """Append a point."""
        self.times.append(at)
        self.steps.append(step)
        self.values.append(value)

    def get_points(self, at: float | None) -> list[tuple[float, float]]:
        """Return (step, value) up to a time, sorted by step; a step measured again keeps its last value."""
        end = len(self.times) if at is None else bisect_right(self.times, at)
        return sorted(dict(zip(self.steps[:end], self.values[:end], strict=True)).items())

    def get_last(self, at: float | None = None) -> float | None:
        """Return the newest value up to a time."""
        end = len(self.times) if at is None else bisect_right(self.times, at)
        return self.values[end - 1] if end else None


@dataclass
class _UnmeasuredRunView(RunView):
    """A run view without metrics, which `MetricSeries` holds in less memory."""

    def apply(self, at: float, event: events.Event) -> None:
        if isinstance(event, events.Measured):
            self.last_event_at = max(self.last_event_at, at)
        else:
            super().apply(at, event)


@dataclass
class RunWatcher:
    """Read model of one run; `poll` updates it from the journal."""

    path: Path
    view: RunView = field(default_factory=_UnmeasuredRunView)
    series: dict[tuple[str, str], MetricSeries] = field(default_factory=dict)
    """(stage, metric) → values."""
    history: list[tuple[float, events.Event]] = field(default_factory=list)
    """All events but `Measured`, with frequent progress events merged."""
    notes: list[tuple[float, str, str, str]] = field(default_factory=list)
    """(time, stage, level, text)"""
    unknown_events: dict[str, int] = field(default_factory=dict)
    """Event types that only a newer factory knows, with their counts."""

    def __post_init__(self) -> None:
        self.follower = JournalFollower(self.path)
        self.view.id = self.path.parent.name

    def poll(self) -> bool:
        """Apply the events written since the last call. Returns whether anything changed."""
        replaced, new_events = self.follower.read_new_events()
        if replaced:
            self.view = _UnmeasuredRunView(id=self.path.parent.name)
            for collection in (self.series, self.history, self.notes, self.unknown_events):
                collection.clear()
        for at, event in new_events:
            self._apply(at, event)
        return replaced or bool(new_events)

    def read_all(self) -> RunWatcher:
        """Poll until the present end of the journal."""
        while self.poll() and not self.follower.caught_up:
            pass
        return self

    def _apply(self, at: float, event: events.Event) -> None:
        self.view.apply(at, event)
        match event:
            case events.Measured(stage=stage, step=step, values=values):
                for name, value in values.items():
                    self.series.setdefault((stage, name), MetricSeries()).add(at, step, value)
                return
            case events.Noted(stage=stage, level=level, text=text):
                self.notes.append((at, stage, level, text))
            case events.UnknownEvent(type=kind):
                self.unknown_events[kind] = self.unknown_events.get(kind, 0) + 1
            # Thousands of progress events would make `get_view_at` too slow to scrub through.
            case events.Progress() if (replaced := self._find_replaced(at, event)) is not None:
                del self.history[replaced]
        self.history.append((at, event))

    def _find_replaced(self, at: float, event: events.Progress) -> int | None:
        """Return the index of the stage's last event if it is recent progress, and not the stage's first."""
        recent = range(max(0, len(self.history) - MERGE_EVENTS), len(self.history))
        own = [place for place in recent if getattr(self.history[place][1], "stage", "") == event.stage]
        match [self.history[place] for place in own[-2:]]:
            case [(_, events.Progress()), (last_at, events.Progress())] if at - last_at < MERGE_SECONDS:
                return own[-1]
        return None

    @property
    def time_range(self) -> tuple[float, float]:
        """Start of the run, and time of its last event."""
        return self.view.started, max(self.view.started, self.view.last_event_at)

    def get_view_at(self, moment: float) -> RunView:
        """Return the run as it was at a moment, by applying its history up to then."""
        view = _UnmeasuredRunView(id=self.view.id)
        # Applied from the start each time: a view cannot undo events, and the history is short.
        for at, event in self.history:
            if at > moment:
                break
            view.apply(at, event)
        return view

    def get_view(self) -> RunView:
        """Return the run as it is now; when its process died, its running stages are shown as stopped."""
        if self.view.end is None and self.view.state == DEAD:
            self.view.mark_running_stages_stopped()
        return self.view

    def get_curve(self, name: str, at: float | None = None) -> list[tuple[float, float]]:
        """Return (step, value) of a metric of the training up to a time."""
        stage, _, metric = name.rpartition(" ")  # of an earlier step: `train[1] loss`
        series = self.series.get((stage or self.training_stage, metric))
        return series.get_points(at) if series else []

    @property
    def training_stage(self) -> str:
        """The stage that trained last: of several seeds, each has one."""
        found = [stage for stage, _ in self.series if stage.partition("[")[0] == "train"]
        return found[-1] if found else "train"

    def list_metrics(self) -> list[str]:
        """Return the names of the training's metrics; those of earlier steps, as `train[1] loss`, come last."""
        stage = self.training_stage
        earlier = [step for step in list_step_stages(self.view.stages) if step != stage]
        own = [name for measured, name in self.series if measured == stage]
        return [*own, *(f"{step} {name}" for step in earlier for measured, name in self.series if measured == step)]


def watch_run(home: Path, run: str) -> RunWatcher:
    """Return the watcher of a run, not polled yet."""
    return RunWatcher(home / "runs" / run / journal.JOURNAL_FILE)
