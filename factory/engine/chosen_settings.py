"""What a spec leaves to its rows, and what was chosen for them, as far as that is known before a build."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from factory.plan.compiler import compile_plan
from factory.plan.settings_stage import iterate_auto_fields
from factory.spec.layers import ResolvedSpec
from factory.store.chosen_settings import SETTINGS, read_chosen_settings
from factory.store.integrity import list_damage
from factory.store.outputs import Store


def find_chosen_settings(resolved: ResolvedSpec, home: Path) -> dict[str, dict[str, Any]]:
    """Return field → `chosen` and `reason` for each field that is left to the rows; None where no build chose yet.

    The output of the stage says it, which is that of these rows, this base and this spec.
    """
    fields = [*iterate_auto_fields(resolved)]
    if not fields:
        return {}
    stage = compile_plan(resolved)[SETTINGS]
    output = Store(home).locate_output(stage.name, stage.key)
    if not output.is_complete or list_damage(output):
        unknown = {"chosen": None, "reason": "a build chooses it when the rows are there, and notes why"}
        return dict.fromkeys(fields, unknown)
    settings = read_chosen_settings(output.output)
    values = {f"{block}.{name}": value for block, own in settings["chosen"].items() for name, value in own.items()}
    return {name: {"chosen": values.get(name), "reason": settings["reasons"].get(name, "")} for name in fields}
