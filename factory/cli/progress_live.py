"""Live build display on a terminal. Rich is imported when the first stage runs; a fully cached build skips it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from factory import events
from factory.cli.progress_plain import PlainProgress
from factory.runs.run_view import CACHED, DONE, FAILED, RUNNING, STOPPED, WAITING, RunView, StageView
from factory.views import formatting
from factory.views.run_stages import format_stage_progress

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live as RichLive
    from rich.text import Text

STATE_MARKS = {
    WAITING: ("·", "dim"), CACHED: ("✓", "dim green"), DONE: ("✓", "green"), FAILED: ("✗", "bold red"),
    STOPPED: ("■", "yellow"),
}
SPINNER_FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
SPARK_BLOCKS = "▁▂▃▄▅▆▇█"


class LiveProgress(PlainProgress):
    """Event listener that redraws the state of a build on standard error."""

    def __init__(self) -> None:
        super().__init__()
        self.live_display: RichLive | None = None

    def __exit__(self, *exception: object) -> None:
        """Stop drawing; the last frame stays on the terminal."""
        if self.live_display is not None:
            self.live_display.stop()

    def handle_event(self, at: float, event: events.Event) -> None:
        """Apply one event to the view; the display redraws itself."""
        self.run.apply(at, event)
        # Started late, so that a fully cached build neither imports Rich nor flickers.
        if isinstance(event, events.StageStarted) and self.live_display is None:
            self._start_live_display()
        if isinstance(event, events.Noted) and event.level == "warning":
            self._print_warning(event)

    def _start_live_display(self) -> None:
        from rich.console import Console
        from rich.live import Live as RichLive

        self.live_display = RichLive(console=Console(stderr=True), get_renderable=self.draw_frame, refresh_per_second=8)
        self.live_display.start()

    def _print_warning(self, event: events.Noted) -> None:
        from rich.console import Console
        from rich.text import Text

        console = self.live_display.console if self.live_display else Console(stderr=True)
        console.print(Text(f"{event.stage or 'build'}: {formatting.clean_line(event.text)}", style="yellow"))

    def draw_frame(self) -> RenderableType:
        """Return the current frame: a header and a line per stage."""
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        run = self.run
        seconds = max(0.0, time.time() - run.started) if run.end is None else run.end.seconds
        task = f"  {run.task}{f' · {run.profile}' if run.profile else ''}  "
        head = Text.assemble((run.name, "bold"), (task, "dim"), (formatting.format_seconds(seconds), "cyan"))
        grid = Table.grid(padding=(0, 1))
        for stage in list(run.stages.values()):  # a copy: Rich draws in its own thread while events arrive
            grid.add_row(*_build_stage_line(run, stage))
        return Group(head, grid)


def _build_stage_line(run: RunView, stage: StageView) -> Sequence[RenderableType]:
    from rich.text import Text

    is_running = stage.state == RUNNING
    spinner = SPINNER_FRAMES[int(time.time() * 8) % len(SPINNER_FRAMES)]
    mark, style = (spinner, "cyan") if is_running else STATE_MARKS.get(stage.state, ("?", ""))
    dim = "dim" if stage.state in (WAITING, CACHED) else ""
    detail = {
        CACHED: "cached", DONE: formatting.format_seconds(stage.seconds),
        FAILED: formatting.clean_line(stage.error, 100), STOPPED: "stopped",
    }
    text = _format_running_stage(stage) if is_running else Text(detail.get(stage.state, ""), style=dim or style)
    points = run.extract_curve(stage.name)
    if points:
        loss = f"  loss {points[-1][1]:.3g} {format_sparkline([p[1] for p in points])}"
        text.append(loss, style="magenta" if is_running else "dim")
    return Text(mark, style=style), Text(stage.name, style="bold" if is_running else dim), text


def _format_running_stage(stage: StageView, width: int = 20) -> Text:
    """Return the time since the start, a progress bar if the total is known, and the progress in words."""
    from rich.text import Text

    elapsed = formatting.format_seconds(max(0.0, time.time() - stage.started))
    full = min(width, int(width * stage.done / stage.total)) if stage.total else 0
    bar = f"{'━' * full}{'╌' * (width - full)} " if stage.total else ""
    detail = format_stage_progress(stage) if stage.unit else formatting.clean_line(stage.why, 80)
    return Text.assemble((elapsed, "cyan"), f"  {bar}{detail}")


def format_sparkline(values: Sequence[float], width: int = 24) -> str:
    """Return the values as a line of blocks, oldest first; each block is the mean of an equal slice."""
    if not values:
        return ""
    count = min(width, len(values))
    edges = [round(i * len(values) / count) for i in range(count + 1)]
    means = [sum(values[a:b]) / (b - a) for a, b in pairwise(edges)]
    low, high = min(means), max(means)
    span = high - low or 1.0  # equal values are drawn at the bottom
    return "".join(SPARK_BLOCKS[min(7, int((m - low) / span * 8))] for m in means)
