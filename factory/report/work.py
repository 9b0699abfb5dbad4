"""The report's account of the work: training, the rows won and lost, the time each stage took, the resolved spec."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from factory import compare
from factory.errors import FactoryError
from factory.evidence import RunOutputs
from factory.report import svg, words
from factory.report.html import Child, Markup, facts, join, section, table, tag
from factory.runs import CACHED, StageView

SHOWN = 6
"""Rows shown of each result."""


def training(evidence: RunOutputs) -> Markup:
    """The loss by step, and what was trained."""
    train, points = evidence.read_stage_json("train"), evidence.read_training_curve()
    if not train and not points:
        return Markup("")
    trainable, parameters = train.get("trainable"), train.get("parameters")
    share = f" of {parameters:,} ({words.percent(trainable / parameters)})" if trainable and parameters else ""
    extra = [(name.replace("_", " "), _short(value)) for name, value in (train.get("facts") or {}).items()]
    drawn = [
        svg.curve(points, "training loss"),
        tag("p", "Training loss by step, with its running mean.", class_="meta"),
    ]
    return section(
        "Training",
        "training",
        *(drawn if len(points) > 1 else []),
        facts(
            [
                ("steps", train.get("steps")),
                ("layers with an adapter", train.get("modules")),
                ("trained parameters", f"{trainable:,}{share}" if trainable else ""),
                *extra,
            ]
        ),
    )


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return words.clean(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False), 120)


def rows(evidence: RunOutputs) -> Markup:
    """Where tuned won and lost most against the best baseline, both answers beside each other."""
    best = words.deciding(evidence.read_stage_json("gate")).get("baseline")
    if not best:
        return Markup("")
    try:
        ours = compare.ContenderResults(evidence, compare.find_tuned_contender(evidence.run))
        found = compare.compare_contenders(ours, compare.ContenderResults(evidence, best))
    except (FactoryError, LookupError):
        return Markup("")
    shelf = compare.FrozenRowViewer(evidence)
    counts = ", ".join(f"{word} {found.count_rows(word)}" for word in (compare.WON, compare.LOST, compare.TIED))
    return section(
        "Row by row",
        "rows",
        tag("p", f"Tuned against {best} on {len(found.rows)} rows: {counts}.", class_="soft"),
        _results("Won by most", compare.WON, found, shelf),
        _results("Lost by most", compare.LOST, found, shelf),
    )


def _results(title: str, result: str, found: compare.ContenderComparison, shelf: compare.FrozenRowViewer) -> Markup:
    chosen = found.select_strongest(result, SHOWN)
    return join(tag("h3", title), *(_row(row, found, shelf) for row in chosen)) if chosen else Markup("")


def _row(row: compare.RowResult, found: compare.ContenderComparison, shelf: compare.FrozenRowViewer) -> Markup:
    shared, left, right = shelf.show_side_by_side(row.id, found.a, found.b)
    sides = [
        tag(
            "div", tag("span", f"{side.contender} {words.number(value)}", class_="side"), tag("pre", said or "the same")
        )
        for side, value, said in ((found.a, row.a, left), (found.b, row.b, right))
    ]
    group = f" · group {row.group}" if row.group else ""
    return tag(
        "div",
        tag("h4", f"{row.id}{group}"),
        tag("pre", shared) if shared else None,
        tag("div", *sides, class_="pair"),
        class_="row",
    )


def timing(evidence: RunOutputs) -> Markup:
    """What each stage took in this run, and in the run that made it when it was cached."""
    stages = list(evidence.run.stages.values())
    if not stages:
        return Markup("")
    took = {s.name: _took(evidence, s) for s in stages}
    most = max([float(t["seconds"]) for t in took.values() if t] + [0.001])
    cells = [_stage(stage, took[stage.name], most) for stage in stages]
    notes = [
        tag("li", f"{stage or 'build'}: {text}", class_="warn" if level == "warning" else None)
        for stage, level, text in evidence.run.notes
    ]
    return section(
        "The work",
        "work",
        table(["stage", "state", "", "wall", "CPU", "peak memory", "why it ran"], cells, numbers=(3, 4, 5)),
        join(tag("h3", "Notes"), tag("ul", *notes)) if notes else None,
    )


def _took(evidence: RunOutputs, stage: StageView) -> Mapping[str, Any]:
    """Seconds and memory of a stage: this run's, or those of the run that made what was cached. Empty when unknown."""
    if stage.state == CACHED:
        made = evidence.read_stage_meta(stage.name)
        return made if "seconds" in made else {}
    if not stage.seconds:
        return {}
    return {"seconds": stage.seconds, "cpu_seconds": stage.cpu_seconds, "peak_mib": stage.peak_mib}


def _stage(stage: StageView, took: Mapping[str, Any], most: float) -> list[Child]:
    name = tag("code", stage.name, title=stage.key, class_="keep")
    made = f"made by {took['made_by']}" if "made_by" in took else ""
    why = stage.error or stage.why or made
    if not took:
        return [name, stage.state, "", "", "", "", why]
    drawn = svg.bar(took["seconds"] / most, words.seconds(took["seconds"]), width=120)
    peak = words.size(took["peak_mib"] * 2**20) if took.get("peak_mib") else ""
    cpu = words.seconds(took.get("cpu_seconds", 0.0))
    return [name, stage.state, drawn, words.seconds(took["seconds"]), cpu, peak, why]


def spec(evidence: RunOutputs) -> Markup:
    """Every value of the spec, and who said it."""
    cells: list[list[Child]] = [
        [tag("code", v.get("path", "")), tag("code", json.dumps(v.get("value"), ensure_ascii=False)), _origin(v)]
        for v in evidence.run.resolved
    ]
    return section("The resolved spec", "spec", table(["field", "value", "from"], cells)) if cells else Markup("")


def _origin(value: Mapping[str, Any]) -> Markup:
    line = f", line {value['line']}" if value.get("line") else ""
    return tag("span", f"{value.get('origin', '')}{line}", class_="soft" if value.get("origin") == "default" else None)
