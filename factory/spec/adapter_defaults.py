"""Values that follow from `adapter.kind` where a spec leaves them to its task: those of tasks are for adapters."""

from __future__ import annotations

from factory.api import Probe, Task
from factory.api.training_args import TrainBlock
from factory.registry.registry import Registry
from factory.spec.blocks import overlay_nodes
from factory.yaml import Node, NodePath, SourceLocation, build_node

FULL_RATE_SHARE = 0.1
"""The learning rate of all weights, as a share of that of an adapter ("LoRA Without Regret", Schulman et al. 2025)."""
DEFAULT_PROBE = "general"
"""The eval that measures what was forgotten, if it is installed and the task's answers are texts."""


def apply_adapter_defaults(top: Node, task: type[Task] | None, registry: Registry) -> Node:
    """Return a merged spec with what suits its `adapter.kind`, but for what the spec itself says.

    Of `full`: a tenth of the learning rate, and a probe of what was forgotten. Of `full` and `head`: no targets, as the
    bundle is a whole model, which every server loads as it is.
    """
    kind = top.find(("adapter", "kind"))
    if kind is None or kind.value not in ("full", "head"):
        return top
    origin, values = SourceLocation(f"adapter.kind: {kind.value}"), dict[str, Node]()
    if _is_default(top, ("targets",)):
        values["targets"] = Node([], origin)
    if kind.value == "full":
        rate = top.find(("train", "learning_rate"))
        usual = rate.value if rate else TrainBlock.model_fields["learning_rate"].default
        if _is_default(top, ("train", "learning_rate")) and isinstance(usual, float):
            values["train"] = build_node({"learning_rate": round(usual * FULL_RATE_SHARE, 12)}, origin)
        if _misses_probe(top, task, registry):
            evals = top.get_child("evaluate")
            listed = evals.value if evals else []
            values["evaluate"] = Node([*listed, build_node({"kind": DEFAULT_PROBE}, origin)], origin)
    return overlay_nodes(top, Node(values, origin))


def _is_default(top: Node, steps: NodePath) -> bool:
    """Return whether neither the spec nor an option sets a field."""
    node = top.find(steps)
    return node is None or (not node.location.line and node.location.origin != "command line")


def _misses_probe(top: Node, task: type[Task] | None, registry: Registry) -> bool:
    """Return whether the evals are the default ones of a task that the probe suits."""
    probes = [each.kind for each in registry.list_classes("eval") if issubclass(each, Probe)]
    evals = top.get_child("evaluate")
    is_list = evals is not None and isinstance(evals.value, list) and _is_default(top, ("evaluate",))
    return is_list and task is not None and task.output_type == "text" and DEFAULT_PROBE in probes
