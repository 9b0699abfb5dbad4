"""The elements of `factory.views` as HTML: texts by tone, intervals as SVG, and tables."""

from __future__ import annotations

from collections.abc import Sequence

from factory.report import svg
from factory.report.html import Child, Markup, render_element, render_html_table
from factory.views.elements import Cell, Interval, ShareBar, Table, Text, extract_plain_text

COLOURED_TONES = ("good", "bad", "warn")
MAX_UNBROKEN = 24
"""Letters of a toned text, such as an interval, that stays on one line."""


def render_cell(cell: Cell) -> Child:
    """Render a cell: an interval as a chart, a text in the style of its tone."""
    if isinstance(cell, Interval):
        return svg.draw_interval(cell)
    if isinstance(cell, ShareBar):
        return svg.draw_bar(cell.share, cell.label or f"{cell.share:.0%}", width=120)
    text, tone = (cell.text, cell.tone) if isinstance(cell, Text) else (extract_plain_text(cell), "")
    if not text or tone not in ("dim", "strong", *COLOURED_TONES):
        return text
    if tone == "strong":
        return render_element("b", text)
    keep = "keep " if len(text) <= MAX_UNBROKEN else ""
    return render_element("span" if tone == "dim" else "b", text, class_=f"{keep}{'soft' if tone == 'dim' else tone}")


def render_table(table: Table, limit: int = 0) -> Markup:
    """Render a table of the views, empty without rows; with `limit`, its first rows and how many more there are."""
    shown = table.rows[:limit] if limit else table.rows
    numbers = [i for i, column in enumerate(table.columns) if column.align_right]
    rows: Sequence[Sequence[Child]] = [[render_cell(cell) for cell in row.cells] for row in shown]
    hidden = len(table.rows) - len(shown)
    more = render_element("p", f"and {hidden:,} more", class_="soft") if hidden else Markup("")
    return Markup(render_html_table([column.name for column in table.columns], rows, numbers) + more)
