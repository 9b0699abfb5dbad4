"""The stages of a training course, whose `objective` is a list of steps.

Each step has stages of its own to choose settings, to check rows and to train, and where it has rows of its own, to
gather and curate them. A stage has the key that it would have in a spec of that step alone, so that another second step
does not train the first one again. What comes after training reads the outputs of the last step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from factory.api.auto_settings import AUTO
from factory.api.spec_block import compute_fields_identity
from factory.plan import compiler
from factory.plan.builder import PlanBuilder, Stage, compute_part_identity
from factory.plan.gate_metric import choose_tuned_contender
from factory.plan.step_names import TRAINING, list_step_stages, name_step, name_step_contender
from factory.spec.layers import ResolvedSpec
from factory.store.chosen_settings import SETTINGS

Planner = Callable[[PlanBuilder, ResolvedSpec], None]

ROW_KINDS = ("gather", "prepare", "freeze", "synthesize", "curate")
CURATION_KINDS = ("synthesize", "curate")
COURSE_KINDS = ("settings", "preflight", TRAINING)
"""Kinds of stages of which each step has its own, in place of one of the spec."""


def add_stages(builder: PlanBuilder, resolved: ResolvedSpec, kind: str, add: Planner) -> None:
    """Let a planner add the stages of a kind: once for a spec, and for each step that has stages of its own."""
    if not resolved.steps or kind not in COURSE_KINDS:
        add(builder, resolved)
    for number, step in enumerate(resolved.steps, 1):
        if kind in (*COURSE_KINDS, *list_own_kinds(step)):
            _add_step_stage(builder, step, number, kind, _add_step_freeze if kind == "freeze" else add)
    if kind in COURSE_KINDS and (last := name_step(kind, len(resolved.steps))) in builder.stages:
        builder.role_overrides[kind] = last
    if resolved.steps and kind == "answer":
        _add_step_answers(builder, resolved)


def list_own_kinds(step: ResolvedSpec) -> tuple[str, ...]:
    """Return the kinds of stages by which a step gets rows of its own."""
    if "sources" not in step.own_rows:
        return CURATION_KINDS if step.own_rows else ()
    return ROW_KINDS if step.objective.uses_task_rows else tuple(kind for kind in ROW_KINDS if kind != "prepare")


def list_curations(builder: PlanBuilder) -> list[str]:
    """Return the stages that curate rows of steps, beside that of the spec."""
    return list_step_stages(builder.stages, "curate")


def list_bundled_stages(builder: PlanBuilder) -> list[str]:
    """Return the stages whose facts a bundle tells of each step, beside those of the last one and of the spec."""
    return [*list_step_stages(builder.stages)[:-1], *list_curations(builder)]


def describe_steps(resolved: ResolvedSpec) -> list[dict[str, Any]]:
    """Return the steps as the spec in a bundle has them: objective, settings of training, and rows of their own."""
    root = resolved.root
    return [
        {
            "objective": compute_part_identity(step.objective, root),
            "train": compute_fields_identity(step.spec.train, root),
            "rows": {
                name: compute_part_identity(plugins, root) for name, plugins in (
                    ("sources", step.sources), ("synthesize", step.synthesizers), ("curate", step.curators),
                ) if name in step.own_rows
            },
        }
        for step in resolved.steps
    ]


def list_step_contenders(resolved: ResolvedSpec) -> list[str]:
    """Return the contenders that answer with what the steps before the last one made, the first step first."""
    tuned = choose_tuned_contender(resolved)
    return [name_step_contender(tuned, number) for number in range(1, len(resolved.steps))]


def list_shown_steps(resolved: ResolvedSpec) -> list[str]:
    """Return the contenders of steps that tuned need not beat, as the spec does not say so."""
    judged = resolved.spec.gate.steps
    return [name for number, name in enumerate(list_step_contenders(resolved), 1) if number not in judged]


def build_step_parts(resolved: ResolvedSpec) -> dict[str, Any]:
    """Return what the gate says of steps: the objective of each, and who answers with what it made; {} without any."""
    contenders = [*list_step_contenders(resolved), choose_tuned_contender(resolved)]
    pairs = zip(resolved.steps, contenders, strict=False)  # without steps, tuned alone is left
    steps = [{"objective": step.objective.kind, "contender": contender} for step, contender in pairs]
    return {"steps": steps} if steps else {}


def _add_step_stage(builder: PlanBuilder, step: ResolvedSpec, number: int, kind: str, add: Planner) -> None:
    """Let a planner add the stage of a step, which reads what the step has of its own, else what the spec has."""
    roles = dict(builder.role_overrides)
    for name in (*ROW_KINDS, *COURSE_KINDS):
        if (own := name_step(name, number)) in builder.stages:
            roles[name] = own
        elif name in COURSE_KINDS:
            roles.pop(name, None)  # that of another step
    if name_step("gather", number) in builder.stages and not step.objective.uses_task_rows:
        roles["prepare"] = name_step("gather", number)  # documents have no columns that the task could prepare
    if kind == TRAINING and number > 1:
        roles["start"] = name_step(TRAINING, number - 1)
    planned = replace(builder, stages={**builder.stages}, role_overrides=roles)
    add(planned, _compare_documents(step) if kind == "curate" else step)
    if kind == SETTINGS and number > 1 and step.spec.adapter.rank == AUTO:
        before = name_step(SETTINGS, number - 1)
        if planned.stages[kind].key != builder.stages[before].key:  # it might choose another rank for one adapter
            roles["before"] = before
            add(planned, step)
    if kind in ("curate", "preflight") and "sources" in step.own_rows and not step.objective.uses_task_rows:
        planned.add_unkeyed(kind, documents=True)  # the key has it by the rows that are read
    if (stage := planned.stages.get(kind)) is not None and stage is not builder.stages.get(kind):
        after = _map_stages_before(builder, stage)
        builder.stages[name_step(kind, number)] = replace(stage, name=name_step(kind, number), after=after)


def _compare_documents(step: ResolvedSpec) -> ResolvedSpec:
    """Return the step with the text of its documents among the columns that leakage compares."""
    if step.objective.uses_task_rows:
        return step
    leakage = step.spec.data.leakage
    columns = dict.fromkeys([*(leakage.columns or [step.task.text_column]), *step.objective.columns])
    data = step.spec.data.model_copy(update={"leakage": leakage.model_copy(update={"columns": [*columns]})})
    return replace(step, spec=step.spec.model_copy(update={"data": data}))


def _map_stages_before(builder: PlanBuilder, stage: Stage) -> tuple[str, ...]:
    """Return the stages that must pass first: the rows of all steps are checked before the first one trains."""
    return tuple(own for name in stage.after for own in list_step_stages(builder.stages, name) or [name])


def _add_step_freeze(builder: PlanBuilder, step: ResolvedSpec) -> None:
    """Add the stage that takes the rows of a step as training rows, beside the frozen rows of the spec."""
    builder.role_overrides["frozen"] = "freeze"
    is_documents = not step.objective.uses_task_rows
    text = step.objective.columns[0] if is_documents else step.task.text_column
    parts: dict[str, Any] = {"documents": True} if is_documents else {}
    builder.add_stage("freeze", ["prepare", "frozen"], split=step.spec.data.split, text=text, **parts)


def _add_step_answers(builder: PlanBuilder, resolved: ResolvedSpec) -> None:
    """Add the answers of the artifact after each step but the last one, which tuned answers with."""
    tuned = choose_tuned_contender(resolved)
    for number, name in enumerate(list_step_contenders(resolved), 1):
        roles = {**builder.role_overrides, TRAINING: name_step(TRAINING, number)}
        planned = replace(builder, stages={**builder.stages}, role_overrides=roles)
        compiler.add_answer(planned, resolved)
        builder.stages[f"answer[{name}]"] = replace(planned.stages[f"answer[{tuned}]"], name=f"answer[{name}]")
