"""Why a stage would run: its output is missing, a field changed (from what to what), or something upstream did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from factory.plan.compiler import Plan, Stage
from factory.store.outputs import Store

StageRecords = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class StageReason:
    """One stage's state: `cached`, `missing`, `changed`, `upstream` or `forced`, and the detail in words."""

    stage: str
    state: str
    detail: str

    def __str__(self) -> str:
        return f"{self.state}: {self.detail}" if self.detail else self.state


def explain_plan(plan: Plan, store: Store, previous: StageRecords, force: Sequence[str] = ()) -> list[StageReason]:
    """A reason for each stage, in the plan's order. `previous` maps stage names to what the last run planned."""
    forced = set().union(*(plan.find_dependents(name) for name in force)) if force else set()
    reasons: list[StageReason] = []
    for stage in plan.stages:
        if stage.name in force:
            reasons.append(StageReason(stage.name, "forced", "--force"))
        elif stage.name in forced:
            reasons.append(StageReason(stage.name, "forced", f"stands on {', '.join(force)}"))
        elif store.locate_output(stage.name, stage.key).is_complete:
            reasons.append(StageReason(stage.name, "cached", ""))
        else:
            reasons.append(_explain_stage_change(plan, stage, previous))
    return reasons


def _explain_stage_change(plan: Plan, stage: Stage, previous: StageRecords) -> StageReason:
    before = previous.get(stage.name)
    if before is None:
        return StageReason(stage.name, "missing", "no earlier run of this spec had this stage")
    if before["key"] == stage.key:
        return StageReason(stage.name, "missing", "planned before, never finished, or cleared from the store")
    changes = list_leaf_differences(before["identity"], stage.identity)
    if changes:
        return StageReason(stage.name, "changed", "; ".join(changes))
    moved = [s for s in stage.inputs.values() if s not in previous or previous[s]["key"] != plan[s].key]
    gone = [s for s in before["inputs"].values() if s not in stage.inputs.values()]
    if moved or gone:
        return StageReason(stage.name, "upstream", ", ".join([*moved, *(f"{s} is gone" for s in gone)]))
    return StageReason(stage.name, "changed", "the version of the stage")


def list_leaf_differences(before: Any, after: Any, path: str = "") -> list[str]:
    """Each leaf that differs, as `path: from → to`."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        names = sorted({*before, *after})
        return [d for n in names for d in list_leaf_differences(before.get(n), after.get(n), f"{path}.{n}" if path else n)]
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        pairs = enumerate(zip(before, after, strict=True))
        return [d for i, (old, new) in pairs for d in list_leaf_differences(old, new, f"{path}[{i}]")]
    return [] if before == after else [f"{_strip_fields_segment(path)}: {_shorten_leaf_value(before)} → {_shorten_leaf_value(after)}"]


def _strip_fields_segment(path: str) -> str:
    """`train.fields.epochs` as a person writes it: `train.epochs`."""
    return path.replace(".fields", "")


def _shorten_leaf_value(value: Any) -> str:
    text = "nothing" if value is None else str(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
