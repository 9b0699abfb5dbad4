"""The Textual app: one mode per screen, one timer for all of them, exports, themes and the command palette."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

from textual.app import App, ScreenStackError, SystemCommand
from textual.binding import Binding, BindingType
from textual.notifications import SeverityLevel
from textual.screen import Screen
from textual.theme import Theme

from factory.errors import READ_ERRORS
from factory.events import Verdict
from factory.runs.specialists import find_run_outputs
from factory.tui.keys import COMMON_KEYS, SCREENS
from factory.tui.rich_text import sanitise
from factory.tui.screens.base import Page
from factory.tui.screens.help import HelpScreen
from factory.tui.state import AppState
from factory.tui.theme import DARK, LIGHT

TICK_SECONDS = 0.1
"""Seconds between two redraws: events that arrive in between are drawn together."""
REFRESH_SECONDS = 1.0
"""Seconds between two scans of the runs folder."""
READ_SLICE_SECONDS = 0.012
"""Seconds that reading journals may delay a key press."""
MAX_PALETTE_RUNS = 50
PAGE_CLASSES = {
    "runs": "runs.RunsPage", "run": "run.RunPage", "verdict": "verdict.VerdictPage", "compare": "compare.ComparePage",
    "try": "try_specialist.TryPage", "review": "review.ReviewPage", "specialists": "specialists.SpecialistsPage",
}
"""Screen → module and class, imported when first shown: this halves the time until the list of runs appears."""


def build_theme(name: str, colours: dict[str, str], dark: bool) -> Theme:
    """Return the Textual theme of one of our two palettes."""
    return Theme(
        name=name, dark=dark, primary=colours["run"], secondary=colours["accent"], accent=colours["accent"],
        success=colours["good"], warning=colours["warn"], error=colours["bad"], foreground=colours["text"],
        background=colours["ground"], surface=colours["ground"], panel=colours["panel"],
    )


def load_page(name: str) -> Screen[Any]:
    """Import and create a screen by its name."""
    module, _, class_name = PAGE_CLASSES[name].partition(".")
    page: Screen[Any] = getattr(import_module(f"factory.tui.screens.{module}"), class_name)()
    return page


def find_free_path(name: str, suffix: str) -> Path:
    """Return the first of `name.csv`, `name-2.csv`, … that does not exist in the working directory."""
    numbers = iter(range(2, 10_000))
    path = Path.cwd() / f"{name}{suffix}"
    while path.exists():
        path = path.with_name(f"{name}-{next(numbers)}{suffix}")
    return path


class FactoryApp(App[None]):
    """The app behind `factory tui`."""

    TITLE = "factory"
    CSS_PATH = Path(__file__).with_name("style.tcss")
    ENABLE_COMMAND_PALETTE = True
    MODES: ClassVar[dict[str, str | Callable[[], Screen[Any]]]] = {n: partial(load_page, n) for n in SCREENS}
    DEFAULT_MODE = "runs"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(str(i), f"page('{name}')", name, show=False) for i, name in enumerate(SCREENS, 1)
    ]

    def __init__(
        self, home: Path, *, clock: Callable[[], float] = time.time, start_screen: str = "runs", light: bool = False
    ) -> None:
        super().__init__()
        self.state = AppState(home, clock)
        self.start_screen = start_screen
        # The palette lists all registered themes: keep only those whose colours the screens know.
        for name in list(self.available_themes):
            self.unregister_theme(name)
        self.register_theme(build_theme("factory-dark", DARK, True))
        self.register_theme(build_theme("factory-light", LIGHT, False))
        self.theme = "factory-light" if light else "factory-dark"
        self.refresh_steps: Iterator[bool] | None = None
        self.refresh_count = self.tick_count = 0
        self.stale = False
        """Whether the index has changes that the screen does not show yet."""

    @property
    def page(self) -> Page | None:
        """The current screen; None while a dialog covers it or another one is being pushed."""
        try:
            screen = self.screen
        # Textual's stack is empty for a moment while it switches modes.
        except ScreenStackError:
            return None
        return screen if isinstance(screen, Page) else None

    def on_mount(self) -> None:
        """Read the newest runs, show the first screen, and read the rest while it is up."""
        self.start_refresh(first=True)
        self.action_page(self.start_screen)
        self.set_interval(TICK_SECONDS, self._tick)
        self.set_interval(REFRESH_SECONDS, self.start_refresh)

    def on_unmount(self) -> None:
        """Save the run index."""
        self.state.index.save()

    def notify(
        self, message: str, *, title: str = "", severity: SeverityLevel = "information",
        timeout: float | None = None, markup: bool = False,
    ) -> None:
        """Show a toast. Markup is off by default, so that brackets in names are shown as they are."""
        super().notify(sanitise(message), title=title, severity=severity, timeout=timeout, markup=markup)

    def start_refresh(self, first: bool = False) -> None:
        """Start scanning the runs folder, unless a scan is still going on."""
        if self.refresh_steps is None:
            self.refresh_steps = self.state.index.iter_refresh()
            self._continue_refresh(first)

    def _continue_refresh(self, first: bool = False) -> None:
        """Read runs for one time slice; the next tick continues."""
        if self.refresh_steps is None:
            return
        deadline = time.perf_counter() + READ_SLICE_SECONDS * (4 if first else 1)
        complete = True
        for changed in self.refresh_steps:
            self.stale = self.stale or changed
            if time.perf_counter() > deadline:
                complete = False
                break
        if complete:
            self.refresh_steps = None
            self.refresh_count += 1
            self.state.index.save()
        # A scan of a large home spans many ticks: redraw only now and then until it is complete.
        page = self.page
        if self.stale and page is not None and page.is_mounted and (complete or first or self.tick_count % 5 == 0):
            self.stale = False
            page.index_changed()

    def estimate_remaining_times(self) -> None:
        """Estimate in a thread when the active runs will finish, then tell the current screen."""
        self.run_worker(self._estimate_remaining_times, thread=True, group="ahead", exclusive=True)

    def _estimate_remaining_times(self) -> None:
        estimates = self.state.estimate_remaining_times()

        def publish() -> None:
            self.state.remaining_times = estimates
            if self.page is not None:
                self.page.estimates_changed()

        # Widgets may be changed on the app's thread only.
        self.call_from_thread(publish)

    def _tick(self) -> None:
        self.tick_count += 1
        self._continue_refresh()
        page = self.page
        if page is not None and page.is_mounted:
            page.tick()

    def action_page(self, name: str) -> None:
        """Switch to a screen, or update it when it is current already."""
        if self.current_mode != name:
            self.switch_mode(name)
        elif self.page is not None:
            self.page.arrive()

    def open_run(self, run: str, page: str = "run") -> None:
        """Select a run and switch to one of the screens."""
        self.state.selected_run = run
        self.action_page(page)

    def action_help(self) -> None:
        """Show the keys of the current screen."""
        if self.page is not None:
            self.push_screen(HelpScreen(self.page))

    def action_toggle_theme(self) -> None:
        """Switch between the light and the dark theme."""
        self.theme = "factory-light" if self.current_theme.dark else "factory-dark"
        if self.page is not None:
            self.page.fill()

    def action_export_csv(self) -> None:
        """Write the active table as CSV."""
        table = self.page.find_export_table() if self.page is not None else None
        if table is None:
            self.notify("this screen has no table to export", severity="warning")
        else:
            self._export(f"{self.current_mode}-{table.id}", ".csv", table.table.to_csv())

    def action_export_svg(self) -> None:
        """Write a picture of the screen as SVG."""
        self._export(self.current_mode or "screen", ".svg", self.export_screenshot())

    def _export(self, name: str, suffix: str, text: str) -> None:
        try:
            path = find_free_path(f"factory-{name}", suffix)
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            self.notify(f"cannot write the file: {error.strerror or error}", severity="error")
        else:
            self.notify(f"wrote {path}")

    def write_report(self, run: str) -> None:
        """Write the HTML report of a run in a thread, and open it where there is a browser."""
        self.notify("writing the report …", timeout=2)
        self.run_worker(lambda: self._write_report(run), thread=True, group="report")

    def _write_report(self, run: str) -> None:
        import webbrowser

        from factory.report.run_page import render_run_page

        try:
            path = find_free_path(run, ".html")
            path.write_text(render_run_page(find_run_outputs(self.state.home, run)), encoding="utf-8")
            # Without a display, webbrowser may start a text browser in this very terminal.
            has_display = any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY"))) or os.uname().sysname == "Darwin"
            is_open = has_display and webbrowser.open(path.as_uri())
        except READ_ERRORS as error:
            self.call_from_thread(self.notify, f"cannot write the report: {error}", severity="error")
            return
        self.call_from_thread(self.notify, f"{'opened' if is_open else 'wrote'} {path}")

    def get_system_commands(self, screen: Screen[Any]) -> Iterator[SystemCommand]:
        """Yield the palette's commands: the screens, the keys of this screen, and the newest runs."""
        for name in SCREENS:
            yield SystemCommand(f"Go to {name.capitalize()}", "screen", lambda name=name: self.action_page(name))
        if isinstance(screen, Page):
            for key in (*screen.KEYS, *COMMON_KEYS):
                # Deferred, so that the palette has closed before the screen receives the action.
                run_action = partial(self.call_later, screen.run_action, key.action)
                yield SystemCommand(key.description.capitalize(), f"key {key.first_label}", run_action)
        for run in self.state.index.list_runs()[:MAX_PALETTE_RUNS]:
            title, hint = f"Open run {run.name} {run.id}", f"{run.state} {Verdict.from_word(run.verdict).facts.title}"
            yield SystemCommand(title, hint, lambda run_id=run.id: self.open_run(run_id))


def create_app(home: Path, screen: str, runs: Sequence[str], light: bool = False) -> FactoryApp:
    """Return the app, set to show one run, or to compare several. Raises InputError for an unknown run."""
    first = screen or ("compare" if len(runs) > 1 else "run" if runs else "runs")
    app = FactoryApp(home, start_screen=first, light=light)
    # RUN:CONTENDER is for the comparison alone, and names more than a run.
    if runs and not (first == "compare" and ":" in runs[0]):
        app.state.selected_run = find_run_outputs(home, runs[0]).run.id
    if first == "compare":
        app.state.compared = list(runs)
    return app
