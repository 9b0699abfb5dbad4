"""Aggregate metrics that are not means over rows: totals, per-class tables, calibration, capability probes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from factory.report import svg
from factory.report.elements import render_table
from factory.report.html import Child, Markup, render_element, render_html_table, render_section, render_subsection
from factory.runs.run_outputs import RunOutputs
from factory.views import formatting
from factory.views.verdict import VerdictView
from factory.views.verdict_tables import MetricsTable, build_costs_table

MAX_TABLE_ROWS = 40
"""Maximum number of table rows shown; score.json has the rest."""


def render_totals_section(page: VerdictView) -> Markup:
    """Render totals of every contender, and tables of the tuned one."""
    tables = (_render_metrics_table(table) for table in page.metrics_tables)
    return render_section("Aggregate metrics", "whole", render_table(page.totals), *tables)


def _render_metrics_table(part: MetricsTable) -> Markup:
    """Render one table of the tuned contender, with a reliability diagram if it has calibration bins."""
    diagram = svg.draw_reliability_diagram(part.calibration) if part.calibration else Markup("")
    return render_subsection(part.title, diagram, render_table(part.table, MAX_TABLE_ROWS))


def render_cost_section(evidence: RunOutputs) -> Markup:
    """Render time and memory of the answers, and what contenders chose and spent in full."""
    costs = build_costs_table(evidence).select(("contender", "rows", "took", "a row", "memory"))
    measured = any(row.values[1] for row in costs.rows)
    contenders = evidence.list_contenders()
    records = {name: evidence.read_stage_json(f"answer[{name}]").get("facts", {}) for name in contenders}
    return render_section(
        "Cost of the answers", "cost", render_table(costs) if measured else None, _render_contender_records(records)
    )


def _format_table_cell(value: Any) -> Child:
    if isinstance(value, float):
        return formatting.format_number(value)
    return formatting.clean_line("" if value is None else value, 120)


def _render_contender_records(records: Mapping[str, Mapping[str, Any]]) -> Markup:
    """Render the settings that contenders chose on validation rows, and the cost of answering."""
    rows = [
        [contender, name.replace("_", " "), _render_nested_value(value)]
        for contender, facts in records.items() for name, value in facts.items()
    ]
    table = render_html_table(["contender", "setting or cost", "value"], rows)
    return render_subsection("Settings and costs of contenders", table)


def _render_nested_value(value: Any) -> Child:
    """Render a list of objects as a table, anything else as text."""
    if isinstance(value, list) and value and all(isinstance(item, Mapping) for item in value):
        heads = list(dict.fromkeys(name for item in value for name in item))
        return render_html_table(heads, [[_format_table_cell(item.get(head)) for head in heads] for item in value])
    return _format_table_cell(value)


def render_capability_section(page: VerdictView) -> Markup:
    """Render the general-capability probes: base against tuned model on tasks it was not trained for."""
    if not page.forgetting.rows:
        return Markup("")
    return render_section(
        "General capability", "general", render_element("p", page.forgetting_rule, class_="soft"),
        render_table(page.forgetting), *(render_element("p", drift, class_="soft") for drift in page.drift),
    )
