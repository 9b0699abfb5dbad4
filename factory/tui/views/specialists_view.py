"""The Specialists screen: what a version was built from, and whether its files are intact."""

from __future__ import annotations

from collections.abc import Sequence

from factory.tui.rich_text import Line, make_line, sanitise, wrap_text
from factory.views.specialists import LineageView

LABEL_WIDTH = 14


def render_lineage(page: LineageView, problems: Sequence[str] | None, width: int) -> list[Line]:
    """Return what a version was built from, and the problems that `verify` found (None: not run)."""
    lines = [make_line((sanitise(page.label), "title"), "  ", page.verdict, (f"  {page.aliases}", "accent"))]
    lines += wrap_text(page.warning, width, "warn") if page.warning else []
    for label, text in page.facts.items():
        lines += wrap_text(sanitise(text), width, "", f"{label:<{LABEL_WIDTH}}")
    for problem in problems or ():
        lines += wrap_text(sanitise(problem), width, "bad", "✗ ")
    if problems is not None and not problems:
        lines.append(make_line(("✓ all files match the manifest", "good")))
    return lines
