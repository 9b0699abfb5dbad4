"""What is no mean of rows: totals, tables such as per-class results, calibration, what was forgotten."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from factory.report import svg
from factory.report.html import Child, Markup, join_markup, render_element, render_html_table, render_section
from factory.runs.run_outputs import RunOutputs
from factory.views import formatting

MAX_TABLE_ROWS = 40
"""Rows of a table that are shown; a spec has the rest in score.json."""
RELIABILITY_COLUMNS = ("confidence", "accuracy")
"""A table with these columns is drawn as a reliability diagram."""


def render_totals_section(evidence: RunOutputs) -> Markup:
    """Totals of every contender, then the tables of the tuned one, then what contenders chose and spent."""
    score = evidence.read_stage_json("score")
    totals = {name: found for name, found in score.get("totals", {}).items() if found}
    tables: Mapping[str, Any] = score.get("tables", {}).get("tuned", {})
    spent = {name: evidence.read_stage_json(f"answer[{name}]").get("facts", {}) for name in evidence.list_contenders()}
    parts = [_render_totals_table(totals), *(_render_eval_table(name, lines) for name, lines in tables.items()), _render_contender_records(spent)]
    return render_section("All rows together", "whole", *parts) if any(parts) else Markup("")


def _render_totals_table(totals: Mapping[str, Mapping[str, float]]) -> Markup:
    names = list(dict.fromkeys(each for found in totals.values() for each in found))
    if not names:
        return Markup("")
    rows: list[list[Child]] = [
        [contender, *(formatting.format_number(found[each]) if each in found else "–" for each in names)]
        for contender, found in totals.items()
    ]
    return render_html_table(["contender", *names], rows, numbers=tuple(range(1, len(names) + 1)))


def _render_eval_table(name: str, lines: Sequence[Mapping[str, Any]]) -> Markup:
    """One table of the tuned contender, drawn where a drawing says more."""
    if not lines:
        return Markup("")
    heads: list[Child] = list(lines[0])
    rows: list[list[Child]] = [[_format_table_cell(line.get(str(head))) for head in heads] for line in lines[:MAX_TABLE_ROWS]]
    numbers = tuple(i for i, head in enumerate(heads) if isinstance(lines[0].get(str(head)), int | float))
    drawn = Markup("")
    if all(column in lines[0] for column in RELIABILITY_COLUMNS):
        drawn = svg.draw_reliability_diagram([(float(each["confidence"]), float(each["accuracy"])) for each in lines])
    more = render_element("p", f"and {len(lines) - MAX_TABLE_ROWS} more", class_="soft") if len(lines) > MAX_TABLE_ROWS else None
    return join_markup(render_element("h3", f"{name.replace('_', ' ')} of tuned"), drawn, render_html_table(heads, rows, numbers=numbers), more)


def _format_table_cell(value: Any) -> Child:
    return formatting.format_number(value) if isinstance(value, float) else formatting.clean_line("" if value is None else value, 120)


def _render_contender_records(spent: Mapping[str, Mapping[str, Any]]) -> Markup:
    """What contenders chose on validation rows, and what answering took."""
    rows: list[list[Child]] = [
        [contender, name.replace("_", " "), _render_nested_value(value)]
        for contender, facts in spent.items() for name, value in facts.items()
    ]
    if not rows:
        return Markup("")
    return join_markup(render_element("h3", "What contenders chose and spent"), render_html_table(["contender", "what", ""], rows))


def _render_nested_value(value: Any) -> Child:
    if isinstance(value, list) and value and all(isinstance(each, Mapping) for each in value):
        heads: list[Child] = list(dict.fromkeys(str(name) for each in value for name in each))
        return render_html_table(heads, [[_format_table_cell(each.get(str(head))) for head in heads] for each in value])
    return _format_table_cell(value)


def render_capability_section(evidence: RunOutputs) -> Markup:
    """What training did to what nobody trained for."""
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
    rule = f"Base and tuned model were asked the same. A fall beyond {limits} and beyond chance is a NO_SHIP."
    return render_section(
        "General capability", "general", render_element("p", rule, class_="soft"),
        render_html_table(["suite", "items", "base", "tuned", "change", ""], rows, numbers=(1, 2, 3, 4)), *drift,
    )
