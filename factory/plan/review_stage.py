"""The planner of the stage that applies the experts' decisions."""

from __future__ import annotations

from factory.data.review_decisions import read_decisions
from factory.plan.builder import PlanBuilder
from factory.spec.layers import ResolvedSpec


def add_review(builder: PlanBuilder, resolved: ResolvedSpec) -> None:
    """Add the stage that applies the experts' decisions, if the spec asks for a review."""
    spec, task = resolved.spec, resolved.task
    if spec.data.review:
        doubtful = spec.data.review.doubtful
        decisions = read_decisions(resolved.root / spec.data.review.file).compute_decisions_key()
        builder.add_stage(
            "review", ["gather", "freeze", "curate"],
            identity_parts={"task": task, "decisions": decisions, "doubtful": doubtful},
            task=task, file=str(spec.data.review.file), doubtful=doubtful,
        )
        builder.role_overrides["curate"] = "review"  # later stages read the reviewed rows
