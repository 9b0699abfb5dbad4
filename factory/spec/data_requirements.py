"""Whether `data.require` names what can be measured, and by which curator."""

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
    """Say what is wrong with the tests of the data, and find the curators that measure what they name."""
    node = draft.tree.find(("data", "require"))
    for number, item in enumerate(node.value if node and isinstance(node.value, list) else ()):
        steps = ("data", "require", number)
        if not isinstance(item.value, dict):
            continue
        _check_requirement_limits(draft, steps, item)
        metric = item.child("metric")
        if metric is not None and isinstance(metric.value, str):
            _check_requirement_metric(draft, (*steps, "metric"), metric.value, registry)


def _check_requirement_limits(draft: SpecDraft, steps: NodePath, item: Node) -> None:
    low, high = (child.value if (child := item.get_child(name)) else None for name in ("min", "max"))
    if low is None and high is None:
        draft.add_problem(steps, "without a limit nothing is tested; add max, the most that passes, or min, the least")
    elif isinstance(low, int | float) and isinstance(high, int | float) and low > high:
        draft.add_problem(steps, f"nothing passes: min is {low:g}, above max, which is {high:g}")


def _check_requirement_metric(draft: SpecDraft, steps: NodePath, name: str, registry: PluginLookup) -> None:
    task = cast("Task | None", draft.plugins.get(("task",)))
    if name in REQUIREMENT_METRICS:
        if name == "labels_min" and task is not None and task.output_type != LABELS_OUTPUT_TYPE:
            draft.add_problem(steps, f"the task {task.kind!r} has no labels to count; remove this test")
        return
    kinds = {kind.share_metric: kind for kind in cast("list[type[Curator]]", registry.list_classes("curator")) if kind.share_metric}
    if name not in kinds:
        draft.add_problem(steps, f"no metric is called {format_value(name)}; {suggest_known_name(name, [*REQUIREMENT_METRICS, *kinds])}")
    elif (curator := _find_metric_curator(draft, kinds[name])) is None:
        draft.add_problem(steps, f"the curator {kinds[name].kind!r} measures it, and needs fields; add it to data.curate")
    else:
        draft.metric_curators[name] = curator
        named = [*ALIASES_WITH_DEFAULT, *(alias for alias in curator.get_required_models() if draft.tree.find(("models", alias)))]
        lacking = [alias for alias in curator.get_required_models() if alias not in named]
        if lacking:
            draft.add_problem(steps, f"{curator.kind!r} needs the model {lacking[0]!r}; name one as models.{lacking[0]}")


def _find_metric_curator(draft: SpecDraft, kind: type[Curator]) -> Curator | None:
    """The curator as the spec sets it or, where it does not, by its defaults; None when it has none."""
    for _, plugin in draft.list_plugins_below("data", "curate"):
        if type(plugin) is kind:
            return plugin
    try:
        return kind()
    except ValidationError:
        return None
