"""A build on a terminal, alive. Rich is imported when the first stage runs; a cached build never needs it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import pairwise
from types import TracebackType
from typing import TYPE_CHECKING

from factory import events
from factory.cli.plain import far
from factory.report import words
from factory.runs import CACHED, DONE, FAILED, RUNNING, STOPPED, WAITING, RunView, StageView

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live as RichLive
    from rich.table import Table

Kind = type[BaseException] | None
MARKS = {
    WAITING: ("·", "dim"),
    CACHED: ("✓", "dim green"),
    DONE: ("✓", "green"),
    FAILED: ("✗", "bold red"),
    STOPPED: ("■", "yellow"),
}
SPIN = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
BLOCKS = "▁▂▃▄▅▆▇█"


class Live:
    """Listens to a build and draws it on standard error."""

    def __init__(self) -> None:
        self.run = RunView()
        self.drawing: RichLive | None = None
        self.offset = 0.0

    def __enter__(self) -> Live:
        return self

    def __exit__(self, kind: Kind, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.drawing is not None:
            self.drawing.stop()

    def hear(self, at: float, event: events.Event) -> None:
        """Take one event in."""
        self.run.apply(at, event)
        if isinstance(event, events.StageStarted) and self.drawing is None:
            self._begin()
        if isinstance(event, events.Noted) and event.level == "warning":
            self._warn(event)

    def _begin(self) -> None:
        from rich.console import Console
        from rich.live import Live as RichLive

        self.drawing = RichLive(console=Console(stderr=True), get_renderable=self.draw, refresh_per_second=8)
        self.drawing.start()

    def _warn(self, event: events.Noted) -> None:
        from rich.console import Console
        from rich.text import Text

        console = self.drawing.console if self.drawing else Console(stderr=True)
        console.print(Text(f"{event.stage or 'build'}: {words.clean(event.text)}", style="yellow"))

    def draw(self) -> RenderableType:
        """The picture of this moment."""
        from rich.console import Group
        from rich.text import Text

        run = self.run
        head = Text.assemble(
            (run.name, "bold"),
            (f"  {run.task}{f' · {run.profile}' if run.profile else ''}  ", "dim"),
            (words.seconds(max(0.0, time.time() - run.started) if run.end is None else run.end.seconds), "cyan"),
        )
        return Group(head, self._stages())

    def _stages(self) -> Table:
        from rich.table import Table

        grid = Table.grid(padding=(0, 1))
        for stage in list(self.run.stages.values()):
            grid.add_row(*_stage(self.run, stage))
        return grid


def _stage(run: RunView, stage: StageView) -> Sequence[RenderableType]:
    from rich.text import Text

    if stage.state == RUNNING:
        return _running(run, stage)
    mark, style = MARKS.get(stage.state, ("?", ""))
    detail = {
        CACHED: "cached",
        DONE: words.seconds(stage.seconds),
        FAILED: words.clean(stage.error, 100),
        STOPPED: "stopped",
    }
    quiet = "dim" if stage.state in (WAITING, CACHED) else ""
    text = Text(detail.get(stage.state, ""), style=quiet or style)
    points = run.extract_curve(stage.name)
    if points:
        text.append(f"  loss {points[-1][1]:.3g} {spark([p[1] for p in points])}", style="dim")
    return Text(mark, style=style), Text(stage.name, style=quiet), text


def _running(run: RunView, stage: StageView) -> Sequence[RenderableType]:
    from rich.text import Text

    mark = SPIN[int(time.time() * 8) % len(SPIN)]
    since = words.seconds(max(0.0, time.time() - stage.started))
    text = Text.assemble((since, "cyan"), f"  {_bar(stage)}{far(stage) if stage.unit else words.clean(stage.why, 80)}")
    points = run.extract_curve(stage.name)
    if points:
        text.append(f"  loss {points[-1][1]:.3g} {spark([p[1] for p in points])}", style="magenta")
    return Text(mark, style="cyan"), Text(stage.name, style="bold"), text


def _bar(stage: StageView, width: int = 20) -> str:
    if not stage.total:
        return ""
    full = min(width, int(width * stage.done / stage.total))
    return "━" * full + "╌" * (width - full) + " "


def spark(values: Sequence[float], width: int = 24) -> str:
    """The course of some values in a line of blocks, oldest left; each block the mean of its share."""
    if not values:
        return ""
    count = min(width, len(values))
    edges = [round(i * len(values) / count) for i in range(count + 1)]
    means = [sum(values[a:b]) / (b - a) for a, b in pairwise(edges)]
    low, high = min(means), max(means)
    span = high - low or 1.0
    return "".join(BLOCKS[min(7, int((m - low) / span * 8))] for m in means)
