"""What users should know before a plan runs."""

from __future__ import annotations

from factory.plan.builder import PlanBuilder
from factory.plan.incumbent_stages import describe_incumbents
from factory.spec.layers import ResolvedSpec

QLORA_NOTE = "qlora saves memory, as the base has 4 bits a weight; on a CPU it saves no time"


def list_plan_notes(builder: PlanBuilder, resolved: ResolvedSpec) -> tuple[str, ...]:
    """Return a line for each version among the contenders, and what `adapter.kind` is good for."""
    notes = describe_incumbents(builder, resolved)
    return (*notes, QLORA_NOTE) if resolved.spec.adapter.kind == "qlora" else notes
