"""The planner of the stage that counts looks at the test rows."""

from __future__ import annotations

from factory.plan.builder import PlanBuilder
from factory.plan.gate_metric import choose_tuned_contender
from factory.plan.seed_stages import list_tuned_answers
from factory.plan.step_names import find_last_training
from factory.spec.layers import ResolvedSpec


def add_look(builder: PlanBuilder, resolved: ResolvedSpec) -> None:
    """Add the stage, which names the specialist and its training only to tell who looked: its key leaves them out."""
    tuned, text = choose_tuned_contender(resolved), resolved.task.text_column
    builder.add_stage(
        "look", ["freeze", *list_tuned_answers(resolved)], identity_parts={"tuned": tuned, "text": text},
        tuned=tuned, text=text, train=builder.stages[find_last_training(builder.stages)].key, name=resolved.spec.name,
    )
