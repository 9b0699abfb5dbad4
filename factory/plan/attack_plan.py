"""The plan of `factory check --metric`: the rows of a spec up to the split, and the attack on its deciding metric."""

from __future__ import annotations

from factory.api import Probe
from factory.plan import stage_kinds
from factory.plan.builder import Plan, PlanBuilder
from factory.plan.compiler import compile_stages
from factory.spec.layers import ResolvedSpec


def compile_attack_plan(resolved: ResolvedSpec) -> Plan:
    """Return the plan of `factory check --metric`, which shares its row stages with a build."""
    return compile_stages(stage_kinds.ATTACK, resolved)


def add_attack(builder: PlanBuilder, resolved: ResolvedSpec) -> None:
    """Add the stage that scores degenerate answers by the evals of the spec."""
    spec, evals = resolved.spec, [plugin for plugin in resolved.evals if not isinstance(plugin, Probe)]
    builder.add_stage(
        "attack", ["gather", "freeze"], uses=[resolved.task, *evals],
        task=resolved.task, evals=evals, metric=spec.gate.metric, seed=spec.data.split.seed,
    )
