"""The data funnel as an HTML table: rows after each step, from the sources to the training rows."""

from __future__ import annotations

from collections.abc import Sequence

from factory.report import svg
from factory.report.html import Child, Markup, join_markup, render_element, render_html_table
from factory.runs.profile import FunnelStep

MAX_STEP_REASONS = 6
"""Maximum number of reasons shown per step."""


def render_funnel_table(steps: Sequence[FunnelStep]) -> Markup:
    """Render a table of the steps; empty without steps."""
    most = max([step.rows for step in steps] or [1]) or 1
    rows: list[list[Child]] = [
        [render_element("span", step.stage, class_="soft"), render_element("span", step.step, class_="step"),
         _render_step_change(step), f"{step.rows:,}",
         svg.draw_bar(step.rows / most, f"{step.rows:,} rows", width=160), _render_step_reasons(step)]
        for step in steps
    ]
    heads: list[Child] = ["stage", "step", "change", "rows", "", "reasons"]
    return render_html_table(heads, rows, numbers=(2, 3)) if rows else Markup("")


def _render_step_change(step: FunnelStep) -> Markup:
    return join_markup(
        render_element("span", f"+{step.added:,} ", class_="good") if step.added else None,
        render_element("span", f"−{step.dropped:,} ") if step.dropped else None,
        render_element("span", f"~{step.changed:,}", class_="warn", title="changed") if step.changed else None,
        None if step.added or step.dropped or step.changed else render_element("span", "0", class_="soft"),
    )


def _render_step_reasons(step: FunnelStep) -> Markup:
    reasons = [f"{why} {count:,}" for why, count in list(step.reasons.items())[:MAX_STEP_REASONS]]
    more = len(step.reasons) - MAX_STEP_REASONS
    rest = render_element("span", f"; {more} more reasons", class_="soft") if more > 0 else None
    return join_markup("; ".join(reasons), rest)
