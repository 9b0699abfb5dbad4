"""The stage that chooses what a spec leaves to its rows, and who reads what it chose."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from factory.api.auto_settings import AUTO
from factory.plan.builder import PlanBuilder
from factory.spec.layers import ResolvedSpec
from factory.store.chosen_settings import SETTINGS

SCHEDULE_FIELDS = ("epochs", "batch_size")
RANK_FIELD = "adapter.rank"


def add_settings(builder: PlanBuilder, resolved: ResolvedSpec) -> None:
    """Add the stage, if the spec leaves anything to its rows."""
    if not [*iterate_auto_fields(resolved)]:
        return
    spec, task, objective = resolved.spec, resolved.task, resolved.objective
    # The size of a step matters to the choice of epochs; epochs that are given matter to nothing here.
    given = {name: getattr(spec.train, name) for name in SCHEDULE_FIELDS}
    train = given if given["epochs"] == AUTO else {name: value for name, value in given.items() if value == AUTO}
    parts: dict[str, Any] = {"task": task, "objective": objective, "train": train, "seed": spec.data.split.seed}
    if RANK_FIELD in iterate_auto_fields(resolved):
        parts["adapter"] = {"rank": AUTO, "targets": spec.adapter.targets}
    before = ["before"] if "before" in builder.role_overrides else []  # the settings of the step before
    builder.add_stage(
        SETTINGS, ["base", "gather", "freeze", "curate", *before], uses=[task, objective], identity_parts=parts,
        memory=spec.budget.memory, **parts,
    )


def iterate_auto_fields(resolved: ResolvedSpec) -> Iterator[str]:
    """Yield the fields, such as `objective.max_length`, that the rows decide."""
    objective, train = resolved.objective, resolved.spec.train
    yield from (f"objective.{name}" for name in objective.length_fields if getattr(objective, name) == AUTO)
    if resolved.spec.adapter.kind in ("lora", "qlora") and resolved.spec.adapter.rank == AUTO:
        yield RANK_FIELD
    yield from (f"train.{name}" for name in SCHEDULE_FIELDS if getattr(train, name) == AUTO)


def list_settings_input(builder: PlanBuilder) -> list[str]:
    """Return the stage as an input of those that read blocks of the spec, if the plan has it."""
    return [SETTINGS] if SETTINGS in builder.stages or SETTINGS in builder.role_overrides else []
