"""What a spec leaves to its rows, and what was chosen for them, as far as that is known before a build."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from factory.plan.compiler import compile_plan
from factory.plan.settings_stage import iterate_auto_fields
from factory.plan.step_names import name_step
from factory.spec.layers import ResolvedSpec
from factory.store.chosen_settings import SETTINGS, read_chosen_settings
from factory.store.integrity import list_damage
from factory.store.outputs import Store


def find_chosen_settings(resolved: ResolvedSpec, home: Path) -> dict[str, dict[str, Any]]:
    """Return field → `chosen` and `reason` for each field that is left to the rows; None where no build chose yet.

    The output of the stage says it, which is that of these rows, this base and this spec. Of a training course, each
    step has its own choices: `objective[0].train.epochs`.
    """
    if not resolved.steps:
        return _find_stage_choices(resolved, resolved, SETTINGS, home)
    return {
        f"objective[{number}].{name.removeprefix('objective.')}": choice for number, step in enumerate(resolved.steps)
        for name, choice in _find_stage_choices(resolved, step, name_step(SETTINGS, number + 1), home).items()
    }


def _find_stage_choices(
    resolved: ResolvedSpec, step: ResolvedSpec, stage_name: str, home: Path
) -> dict[str, dict[str, Any]]:
    """Return the choices of one stage of the plan, which are those of a spec or of a step."""
    fields = [*iterate_auto_fields(step)]
    if not fields:
        return {}
    stage = compile_plan(resolved)[stage_name]
    output = Store(home).locate_output(stage.name, stage.key)
    if not output.is_complete or list_damage(output):
        unknown = {"chosen": None, "reason": "a build chooses it when the rows are there, and notes why"}
        return dict.fromkeys(fields, unknown)
    settings = read_chosen_settings(output.output)
    values = {f"{block}.{name}": value for block, own in settings["chosen"].items() for name, value in own.items()}
    return {name: {"chosen": values.get(name), "reason": settings["reasons"].get(name, "")} for name in fields}
