"""From what sources gave to what is learned from, a line a step."""

from __future__ import annotations

from collections.abc import Sequence

from factory.portrait import FunnelStep
from factory.report import svg
from factory.report.html import Child, Markup, join, table, tag

REASONS = 6
"""Reasons of a step that are named."""


def funnel(steps: Sequence[FunnelStep]) -> Markup:
    """A table of the steps; nothing when none was made."""
    most = max([step.rows for step in steps] or [1]) or 1
    rows: list[list[Child]] = [
        [tag("span", step.stage, class_="soft"), tag("span", step.step, class_="step"), _change(step), f"{step.rows:,}",
         svg.bar(step.rows / most, f"{step.rows:,} rows", width=160), _why(step)]
        for step in steps
    ]
    return table(["stage", "step", "change", "rows", "", "because"], rows, numbers=(2, 3)) if rows else Markup("")


def _change(step: FunnelStep) -> Markup:
    return join(
        tag("span", f"+{step.added:,} ", class_="good") if step.added else None,
        tag("span", f"−{step.dropped:,} ") if step.dropped else None,
        tag("span", f"~{step.changed:,}", class_="warn", title="changed") if step.changed else None,
        None if step.added or step.dropped or step.changed else tag("span", "0", class_="soft"),
    )


def _why(step: FunnelStep) -> Markup:
    reasons = [f"{why} {count:,}" for why, count in list(step.reasons.items())[:REASONS]]
    more = len(step.reasons) - REASONS
    return join("; ".join(reasons), tag("span", f"; {more} more reasons", class_="soft") if more > 0 else None)
