"""What a person takes along: a table as CSV, a screen as SVG."""

from __future__ import annotations

import os
from pathlib import Path

from factory.tui.grid import Grid


def free(folder: Path, name: str, suffix: str) -> Path:
    """A path that nothing stands at: `name.csv`, `name-2.csv`, …"""
    numbers = iter(range(2, 10_000))
    path = folder / f"{name}{suffix}"
    while path.exists():
        path = folder / f"{name}-{next(numbers)}{suffix}"
    return path


def csv(folder: Path, name: str, grid: Grid) -> Path:
    """Write a table, with bare numbers; returns where."""
    path = free(folder, f"factory-{name}", ".csv")
    path.write_text(grid.csv(), encoding="utf-8")
    return path


def svg(folder: Path, name: str, drawing: str) -> Path:
    """Write a picture of a screen; returns where."""
    path = free(folder, f"factory-{name}", ".svg")
    path.write_text(drawing, encoding="utf-8")
    return path


def report(folder: Path, home: Path, run: str) -> tuple[Path, bool]:
    """Write the HTML report of a run; returns where, and whether a browser was found to open it."""
    import webbrowser

    from factory.report.run_page import render_run_page
    from factory.runs.run_outputs import RunOutputs
    from factory.runs.run_view import find_run

    path = free(folder, run, ".html")
    path.write_text(render_run_page(RunOutputs(home, find_run(home, run))), encoding="utf-8")
    graphical = bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")) or os.uname().sysname == "Darwin"
    return path, graphical and webbrowser.open(path.as_uri())
