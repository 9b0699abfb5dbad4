"""Opening the app: which screen first, and of which runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from factory.tui.app import FactoryApp
from factory.tui.beside import evidence_of


def start(home: Path, screen: str, runs: Sequence[str], light: bool = False) -> None:
    """Run the app until a person leaves it. Raises InputError for a run that is not there."""
    made(home, screen, runs, light).run()


def made(home: Path, screen: str, runs: Sequence[str], light: bool = False) -> FactoryApp:
    """The app, about to show a run, or several beside each other."""
    first = screen or ("compare" if len(runs) > 1 else "run" if runs else "runs")
    app = FactoryApp(home, start=first, light=light)
    if runs and not (first == "compare" and ":" in runs[0]):
        app.world.chosen = evidence_of(home, runs[0]).run.id
    if first == "compare":
        app.world.sides = list(runs)
    return app
