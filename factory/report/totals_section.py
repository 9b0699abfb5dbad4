"""Aggregate metrics that are not means over rows: totals, per-class tables, calibration, capability probes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from factory.report import svg
from factory.report.html import Child, Markup, render_element, render_html_table, render_section, render_subsection
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
    rows = [
        [contender, *(formatting.format_number(values[metric]) if metric in values else "–" for metric in names)]
        for contender, values in totals.items()
    ]
    return render_html_table(["contender", *names], rows, numbers=tuple(range(1, len(names) + 1)))


def _render_eval_table(name: str, lines: Sequence[Mapping[str, Any]]) -> Markup:
    """Render one table of the tuned contender, with a reliability diagram if it has the columns for one."""
    if not lines:
        return Markup("")
    heads, diagram = list(lines[0]), Markup("")
    rows = [[_format_table_cell(line.get(head)) for head in heads] for line in lines[:MAX_TABLE_ROWS]]
    numbers = [i for i, value in enumerate(lines[0].values()) if isinstance(value, int | float)]
    if all(column in lines[0] for column in RELIABILITY_COLUMNS):
        diagram = svg.draw_reliability_diagram([(float(bin["confidence"]), float(bin["accuracy"])) for bin in lines])
    hidden = len(lines) - MAX_TABLE_ROWS
    note = f"and {formatting.format_count(hidden, 'more row')}"
    return render_subsection(
        f"{name.replace('_', ' ')} of tuned", diagram, render_html_table(heads, rows, numbers=numbers),
        render_element("p", note, class_="soft") if hidden > 0 else None,
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


def render_capability_section(evidence: RunOutputs) -> Markup:
    """Render the general-capability probes: base against tuned model on tasks it was not trained for."""
    probes = evidence.read_gate().get("probes", [])
    suites = [suite for probe in probes for suite in probe.get("suites", [])]
    if not suites:
        return Markup("")
    scale = formatting.compute_scale([(suite["low"], suite["high"]) for suite in suites], 0.0)
    rows = [
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
