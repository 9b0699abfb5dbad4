"""The elements of `factory.views` as HTML: texts by tone, intervals as SVG, and tables."""

from __future__ import annotations

from collections.abc import Sequence

from factory.report import svg
from factory.report.html import Child, Markup, render_element, render_html_table
from factory.views.elements import Cell, Interval, Table, Text


def render_cell(cell: Cell) -> Child:
    """Render a cell: an interval as a chart, a text in the style of its tone."""
    if isinstance(cell, Interval):
        return svg.draw_interval(cell)
    if not isinstance(cell, Text) or not cell.tone or not cell.text:
        return cell.text if isinstance(cell, Text) else str(cell)
    if cell.tone == "dim":
        return render_element("span", cell.text, class_="keep soft")
    return render_element("b", cell.text, class_=None if cell.tone == "strong" else cell.tone)


def render_table(table: Table, limit: int = 0) -> Markup:
    """Render a table of the views, empty without rows; with `limit`, its first rows and how many more there are."""
    shown = table.rows[:limit] if limit else table.rows
    numbers = [i for i, column in enumerate(table.columns) if column.align_right]
    rows: Sequence[Sequence[Child]] = [[render_cell(cell) for cell in row.cells] for row in shown]
    hidden = len(table.rows) - len(shown)
    more = render_element("p", f"and {hidden:,} more", class_="soft") if hidden else Markup("")
    return Markup(render_html_table([column.name for column in table.columns], rows, numbers) + more)
