"""Why a stage would run: its output is missing, a field changed (from what to what), or something upstream did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from factory.plan import Plan, Stage
from factory.store import Store

Stages = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Reason:
    """One stage's state: `cached`, `missing`, `changed`, `upstream` or `forced`, and the detail in words."""

    stage: str
    state: str
    detail: str

    def __str__(self) -> str:
        return f"{self.state}: {self.detail}" if self.detail else self.state


def explain(plan: Plan, store: Store, previous: Stages, force: Sequence[str] = ()) -> list[Reason]:
    """A reason for each stage, in the plan's order. `previous` maps stage names to what the last run planned."""
    forced = set().union(*(plan.below(name) for name in force)) if force else set()
    reasons: list[Reason] = []
    for stage in plan.stages:
        if stage.name in force:
            reasons.append(Reason(stage.name, "forced", "--force"))
        elif stage.name in forced:
            reasons.append(Reason(stage.name, "forced", f"stands on {', '.join(force)}"))
        elif store.locate_output(stage.name, stage.key).is_complete:
            reasons.append(Reason(stage.name, "cached", ""))
        else:
            reasons.append(_why(plan, stage, previous))
    return reasons


def _why(plan: Plan, stage: Stage, previous: Stages) -> Reason:
    before = previous.get(stage.name)
    if before is None:
        return Reason(stage.name, "missing", "no earlier run of this spec had this stage")
    if before["key"] == stage.key:
        return Reason(stage.name, "missing", "planned before, never finished, or cleared from the store")
    changes = differences(before["identity"], stage.identity)
    if changes:
        return Reason(stage.name, "changed", "; ".join(changes))
    moved = [s for s in stage.inputs.values() if s not in previous or previous[s]["key"] != plan[s].key]
    gone = [s for s in before["inputs"].values() if s not in stage.inputs.values()]
    if moved or gone:
        return Reason(stage.name, "upstream", ", ".join([*moved, *(f"{s} is gone" for s in gone)]))
    return Reason(stage.name, "changed", "the version of the stage")


def differences(before: Any, after: Any, path: str = "") -> list[str]:
    """Each leaf that differs, as `path: from → to`."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        names = sorted({*before, *after})
        return [d for n in names for d in differences(before.get(n), after.get(n), f"{path}.{n}" if path else n)]
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        pairs = enumerate(zip(before, after, strict=True))
        return [d for i, (old, new) in pairs for d in differences(old, new, f"{path}[{i}]")]
    return [] if before == after else [f"{_plain(path)}: {_short(before)} → {_short(after)}"]


def _plain(path: str) -> str:
    """`train.fields.epochs` as a person writes it: `train.epochs`."""
    return path.replace(".fields", "")


def _short(value: Any) -> str:
    text = "nothing" if value is None else str(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
