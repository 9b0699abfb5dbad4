"""Metrics over all test rows together: totals, tables such as per-class results, and calibration plots."""

from __future__ import annotations

from factory.tui.rich_text import Line, make_line, sanitise
from factory.tui.table import render_table
from factory.views.elements import Curve
from factory.views.verdict import VerdictView

PLOT_WIDTH, PLOT_HEIGHT = 31, 11
MAX_TABLE_ROWS = 40


def render_page(page: VerdictView, width: int) -> list[Line]:
    """Return the worth of each step of training, the totals of all contenders, and the tables of the tuned one, with
    titles and plots."""
    lines: list[Line] = []
    first = (("what each step was worth", page.steps, None), ("over all rows", page.totals, None))
    for title, table, curve in (*first, *page.metrics_tables):
        if table.rows:
            lines += [make_line((sanitise(title), "title")), *(plot_reliability(curve) if curve else [])]
            lines += [*render_table(table, width, MAX_TABLE_ROWS), make_line()]
    return lines or [make_line((page.totals.empty_text, "dim"))]


def plot_reliability(curve: Curve) -> list[Line]:
    """Return a curve of the unit square as a dot per point, with a dotted diagonal."""
    right, bottom = PLOT_WIDTH - 1, PLOT_HEIGHT - 1
    cells = [[" "] * PLOT_WIDTH for _ in range(PLOT_HEIGHT)]
    # Lines are drawn from the top, while values rise from the bottom.
    for column in range(PLOT_WIDTH):
        cells[bottom - round(column / right * bottom)][column] = "·"
    for point in curve.points:
        x, y = (min(1.0, max(0.0, value)) for value in point)
        cells[bottom - round(y * bottom)][round(x * right)] = "●"
    labels = {0: "1.0", PLOT_HEIGHT // 2: "0.5", bottom: "0.0"}
    title = make_line((curve.summary, "dim"))
    rows = [make_line((f"{labels.get(y, ''):>4}│", "dim"), ("".join(row), "accent")) for y, row in enumerate(cells)]
    axis = make_line((f"    └{'─' * PLOT_WIDTH}", "dim"))
    return [title, *rows, axis, make_line((f"     0{curve.x_title:^{PLOT_WIDTH - 2}}1", "dim"))]
