"""Metrics over all test rows together: totals, tables such as per-class results, and calibration plots."""

from __future__ import annotations

from collections.abc import Sequence

from factory.tui.rich_text import Line, make_line, sanitise
from factory.tui.table import render_table
from factory.views.verdict import VerdictView

PLOT_WIDTH, PLOT_HEIGHT = 31, 11
MAX_TABLE_ROWS = 40


def render_page(page: VerdictView, width: int) -> list[Line]:
    """Return the totals of all contenders, then the tables of the tuned one, each with its title and plot."""
    lines: list[Line] = []
    for title, table, bins in (("over all rows", page.totals, ()), *page.metrics_tables):
        if table.rows:
            lines += [make_line((sanitise(title), "title")), *(plot_calibration(bins) if bins else [])]
            lines += [*render_table(table, width, MAX_TABLE_ROWS), make_line()]
    return lines or [make_line((page.totals.empty_text, "dim"))]


def plot_calibration(bins: Sequence[tuple[float, float]]) -> list[Line]:
    """Return a reliability diagram: accuracy by confidence, with a dotted diagonal (Guo et al. 2017)."""
    right, bottom = PLOT_WIDTH - 1, PLOT_HEIGHT - 1
    cells = [[" "] * PLOT_WIDTH for _ in range(PLOT_HEIGHT)]
    # Lines are drawn from the top, while accuracy rises from the bottom.
    for x in range(PLOT_WIDTH):
        cells[bottom - round(x / right * bottom)][x] = "·"
    for bin_ in bins:
        confidence, accuracy = (min(1.0, max(0.0, value)) for value in bin_)
        cells[bottom - round(accuracy * bottom)][round(confidence * right)] = "●"
    labels = {0: "1.0", PLOT_HEIGHT // 2: "0.5", bottom: "0.0"}
    title = make_line(("accuracy by confidence; ● on the dotted line means calibrated", "dim"))
    rows = [make_line((f"{labels.get(y, ''):>4}│", "dim"), ("".join(row), "accent")) for y, row in enumerate(cells)]
    axis = make_line((f"    └{'─' * PLOT_WIDTH}", "dim"))
    return [title, *rows, axis, make_line((f"     0{'confidence':^{PLOT_WIDTH - 2}}1", "dim"))]
