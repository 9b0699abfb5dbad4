"""Files that the screens export: a table as CSV, a screen as SVG, the HTML report of a run."""

from __future__ import annotations

import os
from pathlib import Path

from factory.tui.table import Table


def find_free_path(folder: Path, name: str, suffix: str) -> Path:
    """Return the first of `name.csv`, `name-2.csv`, … that does not exist."""
    numbers = iter(range(2, 10_000))
    path = folder / f"{name}{suffix}"
    while path.exists():
        path = folder / f"{name}-{next(numbers)}{suffix}"
    return path


def export_csv(folder: Path, name: str, table: Table) -> Path:
    """Write a table with unformatted values and return the path."""
    path = find_free_path(folder, f"factory-{name}", ".csv")
    path.write_text(table.to_csv(), encoding="utf-8")
    return path


def export_svg(folder: Path, name: str, svg: str) -> Path:
    """Write the SVG of a screen and return the path."""
    path = find_free_path(folder, f"factory-{name}", ".svg")
    path.write_text(svg, encoding="utf-8")
    return path


def export_report(folder: Path, home: Path, run: str) -> tuple[Path, bool]:
    """Write the HTML report of a run. Returns the path, and whether a browser opened it."""
    import webbrowser

    from factory.report.run_page import render_run_page
    from factory.runs.run_outputs import RunOutputs
    from factory.runs.run_view import find_run

    path = find_free_path(folder, run, ".html")
    path.write_text(render_run_page(RunOutputs(home, find_run(home, run))), encoding="utf-8")
    # Without a display, webbrowser may start a text browser in this very terminal.
    graphical = bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")) or os.uname().sysname == "Darwin"
    return path, graphical and webbrowser.open(path.as_uri())
