"""Contenders that are versions of a specialist: which version answers in a plan, and its stage."""

from __future__ import annotations

from typing import Any

from factory.api import Contender, VersionContender
from factory.plan.builder import PlanBuilder
from factory.spec.incumbents import IncumbentSearch, IncumbentVersion
from factory.spec.layers import ResolvedSpec


def choose_incumbents(builder: PlanBuilder, resolved: ResolvedSpec) -> dict[str, IncumbentVersion | None]:
    """Return kind → version of the contenders that are versions; None for one that is left out."""
    trained = _collect_training_keys(builder)
    return {kind: search.choose_version(trained) for kind, search in _map_searches(resolved).items()}


def describe_incumbents(builder: PlanBuilder, resolved: ResolvedSpec) -> tuple[str, ...]:
    """Return a line per contender that is a version: which one answers, or why none does; none in a plan that does
    not train."""
    trained = _collect_training_keys(builder)
    searches = _map_searches(resolved).items() if trained else ()
    return tuple(f"{kind}: {search.describe_choice(trained)}" for kind, search in searches)


def add_incumbent_answers(builder: PlanBuilder, resolved: ResolvedSpec) -> list[Contender]:
    """Add the stages in which versions answer, and return the contenders that are none.

    A version answers with its own plugins and models: of this spec, it reads the rows only. The key has its bundle, so
    that only another version, or other rows, make it answer again.
    """
    others = []
    for contender in resolved.contenders:
        if not isinstance(contender, VersionContender):
            others.append(contender)
        elif version := choose_incumbents(builder, resolved)[contender.kind]:
            parts: dict[str, Any] = {
                "contender": contender, "text": resolved.task.text_column, "leakage": resolved.spec.data.leakage,
            }
            builder.add_stage(
                f"answer[{contender.kind}]", ["gather", "freeze"], after=["base"],
                identity_parts={**parts, "incumbent": version.build_identity()}, **parts, incumbent=version.to_json(),
                seed=version.seed,
            )
    return others


def build_gate_parts(builder: PlanBuilder, resolved: ResolvedSpec) -> tuple[list[str], dict[str, Any]]:
    """Return what the gate needs of versions: the stages in which they answer, and for its key which ones did.

    Without such contenders both are empty.
    """
    answered = {kind: version is not None for kind, version in choose_incumbents(builder, resolved).items()}
    stages = [f"answer[{kind}]" for kind, has_answered in answered.items() if has_answered]
    return stages, {"incumbents": answered} if answered else {}


def _map_searches(resolved: ResolvedSpec) -> dict[str, IncumbentSearch]:
    """Return kind → what its alias points to; a spec that was not looked up in a home has none yet."""
    kinds = [contender.kind for contender in resolved.contenders if isinstance(contender, VersionContender)]
    unknown = IncumbentSearch("", missing="versions were not looked up")
    return {kind: resolved.incumbents.get(kind, unknown) for kind in kinds}


def _collect_training_keys(builder: PlanBuilder) -> dict[str, str]:
    return {name: stage.key for name, stage in builder.stages.items() if stage.kind == "train"}
