"""Checks of `data.require`: known metrics, sensible limits, and the curators that measure them."""

from __future__ import annotations

from typing import cast

from pydantic import ValidationError

from factory.api import Curator, Task
from factory.data.requirements import LABELS_OUTPUT_TYPE, REQUIREMENT_METRICS
from factory.spec.blocks import PluginLookup
from factory.spec.fields import ALIASES_WITH_DEFAULT
from factory.spec.messages import suggest_known_name
from factory.spec.validation import SpecDraft
from factory.yaml import Node, NodePath, format_value


def check_data_requirements(draft: SpecDraft, registry: PluginLookup) -> None:
    """Report problems of the data tests, and record the curators that measure their metrics."""
    node = draft.tree.find(("data", "require"))
    for number, item in enumerate(node.value if node and isinstance(node.value, list) else ()):
        steps = ("data", "require", number)
        if not isinstance(item.value, dict):
            continue
        _check_requirement_limits(draft, steps, item)
        metric = item.get_child("metric")
        if metric is not None and isinstance(metric.value, str):
            _check_requirement_metric(draft, (*steps, "metric"), metric.value, registry)


def _check_requirement_limits(draft: SpecDraft, steps: NodePath, item: Node) -> None:
    low, high = (child.value if (child := item.get_child(name)) else None for name in ("min", "max"))
    if low is None and high is None:
        draft.add_problem(steps, "no limit; add max, min or both")
    elif isinstance(low, int | float) and isinstance(high, int | float) and low > high:
        draft.add_problem(steps, f"no value can pass: min {low:g} is above max {high:g}")


def _check_requirement_metric(draft: SpecDraft, steps: NodePath, name: str, registry: PluginLookup) -> None:
    task = cast("Task | None", draft.plugins.get(("task",)))
    if name in REQUIREMENT_METRICS:
        if name == "labels_min" and task is not None and task.output_type != LABELS_OUTPUT_TYPE:
            draft.add_problem(steps, f"the task {task.kind!r} has no labels; remove this test")
        return
    curators = cast("list[type[Curator]]", registry.list_classes("curator"))
    kinds = {kind.share_metric: kind for kind in curators if kind.share_metric}
    if name not in kinds:
        hint = suggest_known_name(name, [*REQUIREMENT_METRICS, *kinds])
        draft.add_problem(steps, f"unknown metric {format_value(name)}; {hint}")
    elif (curator := _find_metric_curator(draft, kinds[name])) is None:
        draft.add_problem(
            steps, f"the curator {kinds[name].kind!r} measures this and has required fields; add it to data.curate"
        )
    else:
        draft.metric_curators[name] = curator
        for alias in curator.get_required_models():
            if alias not in ALIASES_WITH_DEFAULT and not draft.tree.find(("models", alias)):
                draft.add_problem(steps, f"{curator.kind!r} needs the model {alias!r}; set models.{alias}")
                break


def _find_metric_curator(draft: SpecDraft, kind: type[Curator]) -> Curator | None:
    """Return the curator as `data.curate` sets it, else with its defaults; None if a field is required."""
    for _, plugin in draft.list_plugins_below("data", "curate"):
        if type(plugin) is kind:
            return plugin
    try:
        return kind()
    except ValidationError:
        return None
