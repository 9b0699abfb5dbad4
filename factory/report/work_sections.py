"""Sections of the run report on training, rows won and lost, the time of each stage, and the resolved spec."""

from __future__ import annotations

import json
import time

from factory.errors import FactoryError
from factory.evaluation import compare
from factory.evaluation.slices import compare_slices
from factory.report import svg
from factory.report.elements import render_table
from factory.report.html import (
    Markup,
    render_element,
    render_fact_list,
    render_html_table,
    render_section,
    render_subsection,
)
from factory.runs.run_outputs import RunOutputs
from factory.views import formatting
from factory.views.run_stages import build_stages_table, read_stage_costs
from factory.views.verdict import VerdictView
from factory.views.verdict_tables import build_slices_table

MAX_EXAMPLE_ROWS = 6
"""Maximum number of rows shown per result (won, lost)."""


def render_training_section(evidence: RunOutputs) -> Markup:
    """Render the training loss by step, and the size of the trained part."""
    train, points = evidence.read_stage_json("train"), evidence.read_training_curve()
    if not train and not points:
        return Markup("")
    trainable, parameters = train.get("trainable"), train.get("parameters")
    share = ""
    if trainable and parameters:
        share = f" of {parameters:,} ({formatting.format_percent(trainable / parameters)})"
    facts = {
        "steps": train.get("steps"), "layers with an adapter": train.get("modules") or None,
        "trained parameters": f"{trainable:,}{share}" if trainable else "",
    }
    for name, value in (train.get("facts") or {}).items():
        text = f"{value:.4g}" if isinstance(value, float) else formatting.format_text_or_json(value)
        facts[name.replace("_", " ")] = formatting.clean_line(text, 120)
    chart = [
        svg.draw_curve(points, "training loss"),
        render_element("p", "Training loss by step, with its moving average.", class_="meta"),
    ]
    return render_section("Training", "training", *(chart if len(points) > 1 else []), render_fact_list(facts))


def render_rows_section(page: VerdictView, evidence: RunOutputs) -> Markup:
    """Render the largest wins and losses of tuned against the deciding baseline, with both answers side by side."""
    baseline = page.baseline
    if not baseline:
        return Markup("")
    try:
        tuned = compare.ContenderResults(evidence, page.tuned)
        comparison = compare.compare_contenders(tuned, compare.ContenderResults(evidence, baseline))
    except (FactoryError, LookupError):
        return Markup("")
    viewer = compare.FrozenRowViewer(evidence)
    results = (compare.WON, compare.LOST, compare.TIED)
    counts = ", ".join(f"{result} {comparison.count_rows(result)}" for result in results)
    rows = formatting.format_count(len(comparison.rows), "row")
    return render_section(
        "Row by row", "rows", render_element("p", f"Tuned against {baseline} on {rows}: {counts}.", class_="soft"),
        _render_slices(page, comparison, viewer),
        _render_result_rows("Largest wins", compare.WON, comparison, viewer),
        _render_result_rows("Largest losses", compare.LOST, comparison, viewer),
    )


def _render_slices(
    page: VerdictView, comparison: compare.ContenderComparison, viewer: compare.FrozenRowViewer
) -> Markup:
    try:
        slices = compare_slices(comparison, viewer)
    except (FactoryError, LookupError):  # the task of another version
        return Markup("")
    table = build_slices_table(slices, page.confidence, page.tuned, page.baseline)
    return render_subsection("Slices of the test rows", render_table(table))


def _render_result_rows(
    title: str, result: str, comparison: compare.ContenderComparison, viewer: compare.FrozenRowViewer
) -> Markup:
    rows = comparison.select_strongest(result, MAX_EXAMPLE_ROWS)
    return render_subsection(title, *(_render_compared_row(row, comparison, viewer) for row in rows))


def _render_compared_row(
    row: compare.RowResult, comparison: compare.ContenderComparison, viewer: compare.FrozenRowViewer
) -> Markup:
    shared, left, right = viewer.show_side_by_side(row.id, comparison.a, comparison.b)
    sides = [
        render_element(
            "div", render_element("span", f"{side.contender} {formatting.format_number(value)}", class_="side"),
            render_element("pre", answer or "(identical)"),
        )
        for side, value, answer in ((comparison.a, row.a, left), (comparison.b, row.b, right))
    ]
    group = f" · group {row.group}" if row.group else ""
    return render_element(
        "div", render_element("h4", f"{row.id}{group}"), render_element("pre", shared) if shared else None,
        render_element("div", *sides, class_="pair"), class_="row",
    )


def render_timing_section(evidence: RunOutputs) -> Markup:
    """Render time and memory of each stage; for a cached stage, those of the run that produced it."""
    if not evidence.run.stages:
        return Markup("")
    notes = [
        render_element("li", f"{stage or 'build'}: {text}", class_="warn" if level == "warning" else None)
        for stage, level, text in evidence.run.notes
    ]
    return render_section(
        "Stages", "work", render_table(build_stages_table(evidence.run, time.time(), read_stage_costs(evidence))),
        render_subsection("Notes", render_element("ul", *notes)) if notes else None,
    )


def render_spec_section(evidence: RunOutputs) -> Markup:
    """Render every field of the resolved spec with its value and origin."""
    rows = []
    for field in evidence.run.resolved:
        value = render_element("code", json.dumps(field.get("value"), ensure_ascii=False))
        origin, line = field.get("origin", ""), f", line {field['line']}" if field.get("line") else ""
        style = "soft" if origin == "default" else None
        source = render_element("span", f"{origin}{line}", class_=style)
        rows.append([render_element("code", field.get("path", "")), value, source])
    return render_section("Resolved spec", "spec", render_html_table(["field", "value", "from"], rows))
