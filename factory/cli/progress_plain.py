"""Plain build display: a line per stage, and progress of long stages at most every ten seconds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

from factory import events
from factory.cli.output import print_note
from factory.runs.run_view import RunView
from factory.views import formatting
from factory.views.run_stages import format_stage_progress

PROGRESS_INTERVAL = 10.0
"""Minimum seconds between two progress lines."""


class PlainProgress:
    """Event listener that prints lines to standard error."""

    def __init__(self, write: Callable[[str], None] = print_note) -> None:
        self.run = RunView()
        self.write = write
        self.last_line_at = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        """Do nothing: every line was printed at once."""

    def handle_event(self, at: float, event: events.Event) -> None:
        """Apply one event to the view, and print its line if it has one."""
        self.run.apply(at, event)
        line = self.format_event_line(at, event)
        if line:
            self.last_line_at = at
            self.write(line)

    def format_event_line(self, at: float, event: events.Event) -> str:
        """Return the line to print for an event; empty for most events."""
        match event:
            case events.RunStarted():
                return f"run {event.run}: {formatting.format_count(len(event.plan), 'stage')}"
            case events.StageCached(stage=stage):
                return f"{stage}: cached"
            case events.StageStarted():
                self.last_line_at = at  # the first progress line comes one interval after the start
            case events.Progress(stage=stage) if at - self.last_line_at >= PROGRESS_INTERVAL:
                points = self.run.extract_curve(stage)
                loss = f", loss {points[-1][1]:.4g}" if points else ""
                return f"{stage}: {format_stage_progress(self.run.stages[stage])}{loss}"
            case events.StageFinished(stage=stage):
                why = formatting.clean_line(self.run.stages[stage].why, 100)
                return f"{stage}: done in {formatting.format_seconds(event.seconds)} ({why})"
            case events.StageFailed(stage=stage):
                return f"{stage}: failed"
            case events.Noted(stage=stage, level=level, text=text):
                prefix = "warning: " if level == "warning" else ""
                return f"{stage or 'build'}: {prefix}{formatting.clean_line(text)}"
        return ""
