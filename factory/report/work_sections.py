"""The report's account of the work: training, the rows won and lost, the time each stage took, the resolved spec."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from factory.errors import FactoryError
from factory.evaluation import compare
from factory.report import svg
from factory.report.html import (
    Child,
    Markup,
    join_markup,
    render_element,
    render_fact_list,
    render_html_table,
    render_section,
)
from factory.runs.run_outputs import RunOutputs
from factory.runs.run_view import CACHED, StageView
from factory.views import formatting

MAX_EXAMPLE_ROWS = 6
"""Rows shown of each result."""


def render_training_section(evidence: RunOutputs) -> Markup:
    """The loss by step, and what was trained."""
    train, points = evidence.read_stage_json("train"), evidence.read_training_curve()
    if not train and not points:
        return Markup("")
    trainable, parameters = train.get("trainable"), train.get("parameters")
    share = f" of {parameters:,} ({formatting.format_percent(trainable / parameters)})" if trainable and parameters else ""
    extra = [(name.replace("_", " "), _format_training_fact(value)) for name, value in (train.get("facts") or {}).items()]
    drawn = [
        svg.draw_curve(points, "training loss"),
        render_element("p", "Training loss by step, with its running mean.", class_="meta"),
    ]
    return render_section(
        "Training",
        "training",
        *(drawn if len(points) > 1 else []),
        render_fact_list(
            [
                ("steps", train.get("steps")),
                ("layers with an adapter", train.get("modules")),
                ("trained parameters", f"{trainable:,}{share}" if trainable else ""),
                *extra,
            ]
        ),
    )


def _format_training_fact(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return formatting.clean_line(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False), 120)


def render_rows_section(evidence: RunOutputs) -> Markup:
    """Where tuned won and lost most against the best baseline, both answers beside each other."""
    best = formatting.find_deciding_comparison(evidence.read_stage_json("gate")).get("baseline")
    if not best:
        return Markup("")
    try:
        ours = compare.ContenderResults(evidence, compare.find_tuned_contender(evidence.run))
        found = compare.compare_contenders(ours, compare.ContenderResults(evidence, best))
    except (FactoryError, LookupError):
        return Markup("")
    shelf = compare.FrozenRowViewer(evidence)
    counts = ", ".join(f"{word} {found.count_rows(word)}" for word in (compare.WON, compare.LOST, compare.TIED))
    return render_section(
        "Row by row",
        "rows",
        render_element("p", f"Tuned against {best} on {len(found.rows)} rows: {counts}.", class_="soft"),
        _render_result_rows("Won by most", compare.WON, found, shelf),
        _render_result_rows("Lost by most", compare.LOST, found, shelf),
    )


def _render_result_rows(title: str, result: str, found: compare.ContenderComparison, shelf: compare.FrozenRowViewer) -> Markup:
    chosen = found.select_strongest(result, MAX_EXAMPLE_ROWS)
    return join_markup(render_element("h3", title), *(_render_compared_row(row, found, shelf) for row in chosen)) if chosen else Markup("")


def _render_compared_row(row: compare.RowResult, found: compare.ContenderComparison, shelf: compare.FrozenRowViewer) -> Markup:
    shared, left, right = shelf.show_side_by_side(row.id, found.a, found.b)
    sides = [
        render_element(
            "div", render_element("span", f"{side.contender} {formatting.format_number(value)}", class_="side"), render_element("pre", said or "the same")
        )
        for side, value, said in ((found.a, row.a, left), (found.b, row.b, right))
    ]
    group = f" · group {row.group}" if row.group else ""
    return render_element(
        "div",
        render_element("h4", f"{row.id}{group}"),
        render_element("pre", shared) if shared else None,
        render_element("div", *sides, class_="pair"),
        class_="row",
    )


def render_timing_section(evidence: RunOutputs) -> Markup:
    """What each stage took in this run, and in the run that made it when it was cached."""
    stages = list(evidence.run.stages.values())
    if not stages:
        return Markup("")
    took = {s.name: _find_stage_cost(evidence, s) for s in stages}
    most = max([float(t["seconds"]) for t in took.values() if t] + [0.001])
    cells = [_build_timing_cells(stage, took[stage.name], most) for stage in stages]
    notes = [
        render_element("li", f"{stage or 'build'}: {text}", class_="warn" if level == "warning" else None)
        for stage, level, text in evidence.run.notes
    ]
    return render_section(
        "The work",
        "work",
        render_html_table(["stage", "state", "", "wall", "CPU", "peak memory", "why it ran"], cells, numbers=(3, 4, 5)),
        join_markup(render_element("h3", "Notes"), render_element("ul", *notes)) if notes else None,
    )


def _find_stage_cost(evidence: RunOutputs, stage: StageView) -> Mapping[str, Any]:
    """Seconds and memory of a stage: this run's, or those of the run that made what was cached. Empty when unknown."""
    if stage.state == CACHED:
        made = evidence.read_stage_meta(stage.name)
        return made if "seconds" in made else {}
    if not stage.seconds:
        return {}
    return {"seconds": stage.seconds, "cpu_seconds": stage.cpu_seconds, "peak_mib": stage.peak_mib}


def _build_timing_cells(stage: StageView, took: Mapping[str, Any], most: float) -> list[Child]:
    name = render_element("code", stage.name, title=stage.key, class_="keep")
    made = f"made by {took['made_by']}" if "made_by" in took else ""
    why = stage.error or stage.why or made
    if not took:
        return [name, stage.state, "", "", "", "", why]
    drawn = svg.draw_bar(took["seconds"] / most, formatting.format_seconds(took["seconds"]), width=120)
    peak = formatting.format_bytes(took["peak_mib"] * 2**20) if took.get("peak_mib") else ""
    cpu = formatting.format_seconds(took.get("cpu_seconds", 0.0))
    return [name, stage.state, drawn, formatting.format_seconds(took["seconds"]), cpu, peak, why]


def render_spec_section(evidence: RunOutputs) -> Markup:
    """Every value of the spec, and who said it."""
    cells: list[list[Child]] = [
        [render_element("code", v.get("path", "")), render_element("code", json.dumps(v.get("value"), ensure_ascii=False)), _render_value_origin(v)]
        for v in evidence.run.resolved
    ]
    return render_section("The resolved spec", "spec", render_html_table(["field", "value", "from"], cells)) if cells else Markup("")


def _render_value_origin(value: Mapping[str, Any]) -> Markup:
    line = f", line {value['line']}" if value.get("line") else ""
    return render_element("span", f"{value.get('origin', '')}{line}", class_="soft" if value.get("origin") == "default" else None)
