"""Reasons why a stage would run: its output is missing, a field changed, or an upstream stage changed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from factory.plan.compiler import Plan, Stage
from factory.store.outputs import Store

StageRecords = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class StageReason:
    """The state of a stage (`cached`, `missing`, `changed`, `upstream`, `forced`, `damaged`) and a detail for users."""

    stage: str
    state: str
    detail: str

    def __str__(self) -> str:
        return f"{self.state}: {self.detail}" if self.detail else self.state


def explain_plan(plan: Plan, store: Store, previous: StageRecords, force: Sequence[str] = ()) -> list[StageReason]:
    """List a reason per stage, in plan order. `previous` maps stage names to the stages of the last run's plan."""
    forced = {stage for name in force for stage in plan.find_dependents(name)}
    reasons: list[StageReason] = []
    for stage in plan.stages:
        if stage.name in forced:
            detail = "--force" if stage.name in force else f"depends on {', '.join(force)}"
            reasons.append(StageReason(stage.name, "forced", detail))
        elif store.locate_output(stage.name, stage.key).is_complete:
            reasons.append(StageReason(stage.name, "cached", ""))
        else:
            reasons.append(_explain_stage_change(plan, stage, previous))
    return reasons


def _explain_stage_change(plan: Plan, stage: Stage, previous: StageRecords) -> StageReason:
    before = previous.get(stage.name)
    if before is None:  # in the first run of a spec the word says enough, on each of its lines
        return StageReason(stage.name, "missing", "no earlier run of this spec had this stage" if previous else "")
    if before["key"] == stage.key:
        return StageReason(stage.name, "missing", "planned before, but never finished, or removed from the store")
    if changes := list_leaf_differences(before["identity"], stage.identity):
        return StageReason(stage.name, "changed", "; ".join(changes))
    inputs = stage.inputs.values()
    changed = [name for name in inputs if name not in previous or previous[name]["key"] != plan[name].key]
    removed = [f"{name} was removed" for name in before["inputs"].values() if name not in inputs]
    if changed or removed:
        return StageReason(stage.name, "upstream", ", ".join([*changed, *removed]))
    return StageReason(stage.name, "changed", "new version of the stage")


def list_leaf_differences(before: Any, after: Any, path: str = "") -> list[str]:
    """List the leaves that differ, as `path: old → new`."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        return [
            difference for name in sorted({*before, *after})
            for difference in list_leaf_differences(before.get(name), after.get(name), f"{path}.{name}".lstrip("."))
        ]
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        pairs = enumerate(zip(before, after, strict=True))
        return [text for i, (old, new) in pairs for text in list_leaf_differences(old, new, f"{path}[{i}]")]
    # The identity has `train.fields.epochs` where a spec has `train.epochs`.
    name = path.replace(".fields", "")
    if before != after and _is_digest(before) and _is_digest(after):
        return [f"{name}: other content"]
    return [] if before == after else [f"{name}: {_shorten_leaf_value(before)} → {_shorten_leaf_value(after)}"]


def _is_digest(value: Any) -> bool:
    """Return whether a value of an identity is the SHA-256 of a file, which tells users nothing."""
    return isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value) is not None


def _shorten_leaf_value(value: Any) -> str:
    text = "nothing" if value is None else str(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
