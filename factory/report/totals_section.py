"""Aggregate metrics that are not means over rows: totals, per-class tables, calibration, capability probes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from factory.report import svg
from factory.report.html import Child, Markup, join_markup, render_element, render_html_table, render_section
from factory.runs.run_outputs import RunOutputs
from factory.views import formatting

MAX_TABLE_ROWS = 40
"""Maximum number of table rows shown; score.json has the rest."""
RELIABILITY_COLUMNS = ("confidence", "accuracy")
"""A table with these columns is drawn as a reliability diagram."""


def render_totals_section(evidence: RunOutputs) -> Markup:
    """Render totals of every contender, tables of the tuned one, and settings and costs of contenders."""
    score = evidence.read_stage_json("score")
    totals = {name: values for name, values in score.get("totals", {}).items() if values}
    tables: Mapping[str, Any] = score.get("tables", {}).get("tuned", {})
    contenders = evidence.list_contenders()
    records = {name: evidence.read_stage_json(f"answer[{name}]").get("facts", {}) for name in contenders}
    parts = [
        _render_totals_table(totals), *(_render_eval_table(name, lines) for name, lines in tables.items()),
        _render_contender_records(records),
    ]
    return render_section("Aggregate metrics", "whole", *parts) if any(parts) else Markup("")


def _render_totals_table(totals: Mapping[str, Mapping[str, float]]) -> Markup:
    names = list(dict.fromkeys(metric for values in totals.values() for metric in values))
    if not names:
        return Markup("")
    rows: list[list[Child]] = [
        [contender, *(formatting.format_number(values[metric]) if metric in values else "–" for metric in names)]
        for contender, values in totals.items()
    ]
    return render_html_table(["contender", *names], rows, numbers=tuple(range(1, len(names) + 1)))


def _render_eval_table(name: str, lines: Sequence[Mapping[str, Any]]) -> Markup:
    """Render one table of the tuned contender, with a reliability diagram if it has the columns for one."""
    if not lines:
        return Markup("")
    heads: list[Child] = list(lines[0])
    rows: list[list[Child]] = [
        [_format_table_cell(line.get(str(head))) for head in heads] for line in lines[:MAX_TABLE_ROWS]
    ]
    numbers = tuple(i for i, head in enumerate(heads) if isinstance(lines[0].get(str(head)), int | float))
    diagram = Markup("")
    if all(column in lines[0] for column in RELIABILITY_COLUMNS):
        diagram = svg.draw_reliability_diagram([(float(bin["confidence"]), float(bin["accuracy"])) for bin in lines])
    hidden = len(lines) - MAX_TABLE_ROWS
    more = render_element("p", f"and {hidden} more rows", class_="soft") if hidden > 0 else None
    title = render_element("h3", f"{name.replace('_', ' ')} of tuned")
    return join_markup(title, diagram, render_html_table(heads, rows, numbers=numbers), more)


def _format_table_cell(value: Any) -> Child:
    if isinstance(value, float):
        return formatting.format_number(value)
    return formatting.clean_line("" if value is None else value, 120)


def _render_contender_records(records: Mapping[str, Mapping[str, Any]]) -> Markup:
    """Render the settings that contenders chose on validation rows, and the cost of answering."""
    rows: list[list[Child]] = [
        [contender, name.replace("_", " "), _render_nested_value(value)]
        for contender, facts in records.items() for name, value in facts.items()
    ]
    if not rows:
        return Markup("")
    table = render_html_table(["contender", "setting or cost", "value"], rows)
    return join_markup(render_element("h3", "Settings and costs of contenders"), table)


def _render_nested_value(value: Any) -> Child:
    if isinstance(value, list) and value and all(isinstance(item, Mapping) for item in value):
        heads: list[Child] = list(dict.fromkeys(str(name) for item in value for name in item))
        return render_html_table(heads, [[_format_table_cell(item.get(str(head))) for head in heads] for item in value])
    return _format_table_cell(value)


def render_capability_section(evidence: RunOutputs) -> Markup:
    """Render the general-capability probes: base against tuned model on tasks it was not trained for."""
    probes = evidence.read_stage_json("gate").get("probes", [])
    suites = [suite for probe in probes for suite in probe.get("suites", [])]
    if not suites:
        return Markup("")
    scale = formatting.compute_scale([(suite["low"], suite["high"]) for suite in suites], 0.0)
    rows: list[list[Child]] = [
        [suite["suite"], suite["n"], formatting.format_number(suite["base"]), formatting.format_number(suite["tuned"]),
         formatting.format_signed(suite["difference"]),
         svg.draw_interval(suite["low"], suite["difference"], suite["high"], scale, marks=[0.0])]
        for suite in suites
    ]
    drift = [render_element("p", f"{name}: {formatting.format_number(value)}", class_="soft")
             for probe in probes for name, value in probe.get("drift", {}).items()]
    limits = ", ".join(formatting.format_number(probe["tolerance"]) for probe in probes)
    rule = f"Base and tuned model answered the same items. A significant drop of more than {limits} leads to NO_SHIP."
    return render_section(
        "General capability", "general", render_element("p", rule, class_="soft"),
        render_html_table(["suite", "items", "base", "tuned", "change", ""], rows, numbers=(1, 2, 3, 4)), *drift,
    )
