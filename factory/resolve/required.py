"""Whether `data.require` names what can be measured, and by which curator."""

from __future__ import annotations

from typing import cast

from pydantic import ValidationError

from factory.api import Curator, Task
from factory.data.require import LABELS_OUTPUT_TYPE, REQUIREMENT_METRICS
from factory.resolve.blocks import Kinds
from factory.resolve.draft import Draft
from factory.resolve.messages import did_you_mean
from factory.source import Node, NodePath, format_value
from factory.spec import EMBEDDED_FOR


def required(draft: Draft, registry: Kinds) -> None:
    """Say what is wrong with the tests of the data, and find the curators that measure what they name."""
    node = draft.top.find(("data", "require"))
    for number, item in enumerate(node.value if node and isinstance(node.value, list) else ()):
        steps = ("data", "require", number)
        if not isinstance(item.value, dict):
            continue
        _limits(draft, steps, item)
        metric = item.child("metric")
        if metric is not None and isinstance(metric.value, str):
            _metric(draft, (*steps, "metric"), metric.value, registry)


def _limits(draft: Draft, steps: NodePath, item: Node) -> None:
    low, high = (child.value if (child := item.get_child(name)) else None for name in ("min", "max"))
    if low is None and high is None:
        draft.say(steps, "without a limit nothing is tested; add max, the most that passes, or min, the least")
    elif isinstance(low, int | float) and isinstance(high, int | float) and low > high:
        draft.say(steps, f"nothing passes: min is {low:g}, above max, which is {high:g}")


def _metric(draft: Draft, steps: NodePath, name: str, registry: Kinds) -> None:
    task = cast("Task | None", draft.plugins.get(("task",)))
    if name in REQUIREMENT_METRICS:
        if name == "labels_min" and task is not None and task.output_type != LABELS_OUTPUT_TYPE:
            draft.say(steps, f"the task {task.kind!r} has no labels to count; remove this test")
        return
    kinds = {kind.share_metric: kind for kind in cast("list[type[Curator]]", registry.classes("curator")) if kind.share_metric}
    if name not in kinds:
        draft.say(steps, f"no metric is called {format_value(name)}; {did_you_mean(name, [*REQUIREMENT_METRICS, *kinds])}")
    elif (curator := _curator(draft, kinds[name])) is None:
        draft.say(steps, f"the curator {kinds[name].kind!r} measures it, and needs fields; add it to data.curate")
    else:
        draft.measures[name] = curator
        named = [*EMBEDDED_FOR, *(alias for alias in curator.get_required_models() if draft.top.find(("models", alias)))]
        lacking = [alias for alias in curator.get_required_models() if alias not in named]
        if lacking:
            draft.say(steps, f"{curator.kind!r} needs the model {lacking[0]!r}; name one as models.{lacking[0]}")


def _curator(draft: Draft, kind: type[Curator]) -> Curator | None:
    """The curator as the spec sets it or, where it does not, by its defaults; None when it has none."""
    for _, plugin in draft.at("data", "curate"):
        if type(plugin) is kind:
            return plugin
    try:
        return kind()
    except ValidationError:
        return None
