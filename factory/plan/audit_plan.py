"""The checks of rows: the stage before training, and the plan of `factory data`, which ends with them."""

from __future__ import annotations

from typing import Any

from factory.plan import stage_kinds
from factory.plan.builder import Plan, PlanBuilder
from factory.plan.compiler import compile_stages
from factory.plan.settings_stage import list_settings_input
from factory.spec.layers import ResolvedSpec


def compile_data_plan(resolved: ResolvedSpec) -> Plan:
    """Return the plan of `factory data`, which shares its row stages with a build."""
    return compile_stages(stage_kinds.DATA, resolved)


def add_audit(builder: PlanBuilder, resolved: ResolvedSpec) -> None:
    """Add the stage that checks training and frozen rows as data."""
    spec, task = resolved.spec, resolved.task
    builder.add_stage(
        "audit", ["base", "gather", "freeze", "curate"], uses=[task], task=task, limits=spec.data.preflight,
        seed=spec.train.seed,
    )


def add_preflight(builder: PlanBuilder, resolved: ResolvedSpec) -> None:
    """Add the stage that checks rows as data and as tokens."""
    spec, task, objective = resolved.spec, resolved.task, resolved.objective
    slices = [guard.slice for guard in spec.gate.guards if guard.slice]
    guarded: dict[str, Any] = {"slices": slices} if slices else {}
    builder.add_stage(
        "preflight", ["base", "gather", "freeze", "curate", *list_settings_input(builder)], uses=[task, objective],
        task=task, objective=objective,
        limits=spec.data.preflight, seed=spec.train.seed, **guarded,
    )
