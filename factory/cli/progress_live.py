"""Live build display on a terminal. Rich is imported when the first stage runs; a fully cached build skips it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

from factory import events
from factory.cli.output import DEFAULT_WIDTH, make_grid
from factory.cli.progress_plain import PlainProgress
from factory.runs.run_view import RUNNING, RunView
from factory.views import formatting
from factory.views.elements import TableRow, Text, make_row, split_cell
from factory.views.run_stages import build_stages_table
from factory.views.signs import get_stage_sign

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live as RichLive

FRAME_COLUMNS = ("stage", "state", "took", "why it ran")
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
        from rich.text import Text as RichText

        console = self.live_display.console if self.live_display else Console(stderr=True)
        console.print(RichText(f"{event.stage or 'build'}: {formatting.clean_line(event.text)}", style="yellow"))

    def draw_frame(self) -> RenderableType:
        """Return the current frame: a header, and the list of stages as `factory show` has it."""
        from rich.console import Group
        from rich.text import Text as RichText

        from factory.views.column_layout import fit_columns

        # A copy: Rich draws in its own thread while events arrive.
        run = replace(self.run, stages=dict(self.run.stages))
        seconds = max(0.0, time.time() - run.started) if run.end is None else run.end.seconds
        task = f"  {run.task}{f' · {run.profile}' if run.profile else ''}  "
        head = RichText.assemble((run.name, "bold"), (task, "dim"), (formatting.format_seconds(seconds), "cyan"))
        table = build_stages_table(run, time.time()).select(FRAME_COLUMNS)
        table = replace(table, rows=tuple(_mark_stage(run, row) for row in table.rows))
        width = self.live_display.console.width if self.live_display else DEFAULT_WIDTH
        return Group(head, make_grid(table, fit_columns(table, width, formatting.clean_line), "ellipsis"))


def _mark_stage(run: RunView, row: TableRow) -> TableRow:
    """Return the row of a stage with its sign, which turns while it runs, and its loss."""
    is_running = run.stages[row.key].state == RUNNING
    spinner = Text(SPINNER_FRAMES[int(time.time() * 8) % len(SPINNER_FRAMES)], "run")
    sign = spinner if is_running else get_stage_sign(run.stages[row.key].state)
    (name, *cells), points = row.cells, run.extract_curve(row.key)
    loss = Text(f"loss {points[-1][1]:.3g} {format_sparkline([p[1] for p in points])}" if points else "", "dim")
    *middle, why = cells
    return make_row(row.key, (sign, *split_cell(name)), *middle, (loss, *split_cell(why)))


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
