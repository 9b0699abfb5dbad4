"""Create the app with its first screen and runs, and run it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from factory.tui.app import FactoryApp
from factory.tui.comparison import load_run_outputs


def run_app(home: Path, screen: str, runs: Sequence[str], light: bool = False) -> None:
    """Run the app until it is quit. Raises InputError for an unknown run."""
    create_app(home, screen, runs, light).run()


def create_app(home: Path, screen: str, runs: Sequence[str], light: bool = False) -> FactoryApp:
    """Return the app, set to show one run, or to compare several."""
    first = screen or ("compare" if len(runs) > 1 else "run" if runs else "runs")
    app = FactoryApp(home, start_screen=first, light=light)
    # RUN:CONTENDER is for the comparison alone, and names more than a run.
    if runs and not (first == "compare" and ":" in runs[0]):
        app.state.selected_run = load_run_outputs(home, runs[0]).run.id
    if first == "compare":
        app.state.compared = list(runs)
    return app
