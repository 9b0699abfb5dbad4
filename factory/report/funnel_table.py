"""The data funnel as an HTML table: rows after each step, from the sources to the training rows."""

from __future__ import annotations

from collections.abc import Sequence

from factory.report import svg
from factory.report.html import Markup, join_markup, render_element, render_html_table
from factory.runs.profile import FunnelStep
from factory.views.formatting import format_count

MAX_STEP_REASONS = 6
"""Maximum number of reasons shown per step."""


def render_funnel_table(steps: Sequence[FunnelStep]) -> Markup:
    """Render a table of the steps; empty without steps."""
    largest = max([step.rows for step in steps] or [1]) or 1
    rows = [
        [render_element("span", step.stage, class_="soft"), render_element("span", step.step, class_="step"),
         _render_step_change(step), f"{step.rows:,}",
         svg.draw_bar(step.rows / largest, format_count(step.rows, "row"), width=160), _render_step_reasons(step)]
        for step in steps
    ]
    return render_html_table(["stage", "step", "change", "rows", "", "reasons"], rows, numbers=(2, 3))


def _render_step_change(step: FunnelStep) -> Markup:
    return join_markup(
        render_element("span", f"+{step.added:,} ", class_="good") if step.added else None,
        render_element("span", f"−{step.dropped:,} ") if step.dropped else None,
        render_element("span", f"~{step.changed:,}", class_="warn", title="changed") if step.changed else None,
        None if step.added or step.dropped or step.changed else render_element("span", "0", class_="soft"),
    )


def _render_step_reasons(step: FunnelStep) -> Markup:
    reasons = [f"{why} {count:,}" for why, count in list(step.reasons.items())[:MAX_STEP_REASONS]]
    hidden = len(step.reasons) - MAX_STEP_REASONS
    note = render_element("span", f"; {format_count(hidden, 'more reason')}", class_="soft") if hidden > 0 else None
    return join_markup("; ".join(reasons), note)
