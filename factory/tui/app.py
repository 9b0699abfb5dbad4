"""The app: screens by number, one clock for all of them, themes, the palette of commands."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

from textual.app import App, ScreenStackError, SystemCommand
from textual.binding import Binding, BindingType
from textual.notifications import SeverityLevel
from textual.screen import Screen
from textual.theme import Theme

from factory.tui import export
from factory.tui.broken import BROKEN
from factory.tui.index import Summary
from factory.tui.keys import COMMON
from factory.tui.lines import safe
from factory.tui.look import DARK, LIGHT
from factory.tui.screens.base import Page
from factory.tui.screens.help import HelpScreen
from factory.tui.widgets.bars import SCREENS
from factory.tui.world import World

BEAT = 0.1
"""Seconds between two looks at what is shown: many events are one picture."""
ROUND = 1.0
"""Seconds between two looks at the folder of runs."""
SLICE = 0.012
"""Seconds that reading runs may hold up a key."""


def theme(name: str, colours: dict[str, str], dark: bool) -> Theme:
    """Textual's theme of one of the two sets of colours."""
    return Theme(
        name=name,
        dark=dark,
        primary=colours["run"],
        secondary=colours["accent"],
        accent=colours["accent"],
        success=colours["good"],
        warning=colours["warn"],
        error=colours["bad"],
        background=colours["ground"],
        surface=colours["ground"],
        panel=colours["panel"],
        foreground=colours["text"],
    )


PAGES = {
    "runs": "runs.RunsPage",
    "run": "run.RunPage",
    "verdict": "verdict.VerdictPage",
    "compare": "compare.ComparePage",
    "try": "trying.TryPage",
    "review": "review.ReviewPage",
    "specialists": "specialists.SpecialistsPage",
}
"""Screen → module and class. Each is imported when it is first shown: the list of runs is up in half the time."""


def page_of(name: str) -> Screen[Any]:
    """A screen by its name."""
    module, _, kind = PAGES[name].partition(".")
    made: Screen[Any] = getattr(import_module(f"factory.tui.screens.{module}"), kind)()
    return made


class FactoryApp(App[None]):
    """`factory tui`."""

    TITLE = "factory"
    CSS_PATH = Path(__file__).with_name("style.tcss")
    ENABLE_COMMAND_PALETTE = True
    MODES: ClassVar[dict[str, str | Callable[[], Screen[Any]]]] = {name: partial(page_of, name) for name in PAGES}
    DEFAULT_MODE = "runs"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(str(i), f"page('{name}')", name, show=False) for i, name in enumerate(SCREENS, 1)
    ]

    def __init__(
        self, home: Path, *, clock: Callable[[], float] = time.time, start: str = "runs", light: bool = False
    ) -> None:
        super().__init__()
        self.world = World(home, clock)
        self.start = start
        for name in list(self.available_themes):
            self.unregister_theme(name)
        self.register_theme(theme("factory-dark", DARK, True))
        self.register_theme(theme("factory-light", LIGHT, False))
        self.theme = "factory-light" if light else "factory-dark"
        self.looking: Iterator[bool] | None = None
        self.rounds = self.beats = 0
        self.stale = False
        """Whether the index knows more than the screen shows."""
        self.worst_first = False
        """Whether Compare is to begin with the rows that were lost."""
        self.to_try: list[str] = []
        """Specialists that Try is to ask."""

    @property
    def page(self) -> Page | None:
        """The screen that is shown; None while a sheet lies over it, or while it is changed for another."""
        try:
            found = self.screen
        except ScreenStackError:
            return None
        return found if isinstance(found, Page) else None

    def on_mount(self) -> None:
        """The first look is at the newest runs alone; the others come while the screen is up already."""
        self.look(first=True)
        self.action_page(self.start)
        self.set_interval(BEAT, self._beat)
        self.set_interval(ROUND, self.look)

    def on_unmount(self) -> None:
        """Remember what was read."""
        self.world.index.save()

    def notify(
        self,
        message: str,
        *,
        title: str = "",
        severity: SeverityLevel = "information",
        timeout: float | None = None,
        markup: bool = False,
    ) -> None:
        """Say something for a moment; what stands in brackets is text, not markup."""
        super().notify(safe(message), title=title, severity=severity, timeout=timeout, markup=markup)

    def look(self, first: bool = False) -> None:
        """Begin another look at the folder of runs, when the last one is through."""
        if self.looking is None:
            self.looking = self.world.steps()
            self._go_on(first)

    def _go_on(self, first: bool = False) -> None:
        """Read runs for a moment, the rest at the next beat."""
        if self.looking is None:
            return
        until, changed, through = time.perf_counter() + SLICE * (4 if first else 1), False, True
        for one in self.looking:
            changed = changed or one
            if time.perf_counter() > until:
                through = False
                break
        if through:
            self.looking = None
            self.rounds += 1
            self.world.index.save()
        self.stale = self.stale or changed
        page = self.page
        if self.stale and page is not None and page.is_mounted and (through or first or self.beats % 5 == 0):
            self.stale = False
            page.index_changed()

    def look_ahead(self) -> None:
        """Work out, beside everything else, when the runs that are going on will be done."""
        self.run_worker(self._ahead, thread=True, group="ahead", exclusive=True)

    def _ahead(self) -> None:
        found = self.world.look_ahead()

        def tell() -> None:
            self.world.finishes = found
            if self.page is not None:
                self.page.looked_ahead()

        self.call_from_thread(tell)

    def _beat(self) -> None:
        self.beats += 1
        self._go_on()
        page = self.page
        if page is not None and page.is_mounted:
            page.tick()

    def action_page(self, name: str) -> None:
        """Go to a screen."""
        if name in self.MODES and self.current_mode != name:
            self.switch_mode(name)
        elif name in self.MODES and self.page is not None:
            self.page.arrive()

    def open_run(self, run: str, page: str = "run") -> None:
        """Look at a run on one of the screens."""
        self.world.chosen = run
        self.action_page(page)

    def action_help(self) -> None:
        """What the keys of this screen do."""
        if self.page is not None:
            self.push_screen(HelpScreen(self.page))

    def action_turn_theme(self) -> None:
        """Light or dark."""
        self.theme = "factory-light" if self.current_theme.dark else "factory-dark"
        if self.page is not None:
            self.page.fill()

    def action_export_csv(self) -> None:
        """Write the active table as CSV."""
        table = self.page.table() if self.page is not None else None
        if table is None:
            self.notify("there is no table here", severity="warning")
            return
        self._written(lambda: export.csv(Path.cwd(), f"{self.current_mode}-{table.id}", table.grid))

    def action_export_svg(self) -> None:
        """Write the screen as it is as SVG."""
        self._written(lambda: export.svg(Path.cwd(), self.current_mode or "screen", self.export_screenshot()))

    def report(self, run: str) -> None:
        """Write the HTML report of a run and open it where there is a browser."""
        self.notify("writing the report …", timeout=2)
        self.run_worker(lambda: self._report(run), thread=True, group="report")

    def _report(self, run: str) -> None:
        try:
            path, opened = export.report(Path.cwd(), self.world.home, run)
        except BROKEN as error:
            self.call_from_thread(self.notify, f"no report: {error}", severity="error")
            return
        self.call_from_thread(self.notify, f"{'opened' if opened else 'wrote'} {path}")

    def _written(self, write: Callable[[], Path]) -> None:
        try:
            self.notify(f"wrote {write()}")
        except OSError as error:
            self.notify(f"not written: {error.strerror or error}", severity="error")

    def get_system_commands(self, screen: Screen[Any]) -> Iterator[SystemCommand]:
        """Every command by name: screens, keys of this screen, and the newest runs."""
        for name in SCREENS:
            if name in self.MODES:
                yield SystemCommand(f"Go to {name.capitalize()}", "screen", lambda name=name: self.action_page(name))
        if isinstance(screen, Page):
            for key in (*screen.KEYS, *COMMON):
                yield SystemCommand(key.said.capitalize(), f"key {key.first}", self._doing(screen, key.action))
        for one in self.world.index.all()[:50]:
            yield SystemCommand(*_open(one), lambda run=one.id: self.open_run(run))

    def _doing(self, screen: Screen[Any], action: str) -> Callable[[], None]:
        def do() -> None:
            self.call_later(screen.run_action, action)

        return do


def _open(one: Summary) -> tuple[str, str]:
    return f"Open run {one.name} {one.id}", f"{one.state} {one.verdict}"
