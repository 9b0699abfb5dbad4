"""Checks of one step of a training course: its own rows, and whether it can go on from the step before."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

from factory.api import Objective, Source, Synthesizer, Task
from factory.spec.checks import check_input_paths
from factory.spec.column_checks import check_plugin_columns, check_required_columns, format_names, list_missing_names
from factory.spec.training_checks import check_training
from factory.spec.training_steps import DATA, OBJECTIVE
from factory.spec.validation import SpecDraft


def check_step(draft: SpecDraft, steps: Sequence[SpecDraft], root: Path) -> None:
    """Add the problems of a step whose fields are valid one by one, other than those that all steps share."""
    for path, kind in draft.plugin_classes.items():
        if path[0] in (OBJECTIVE, DATA):
            check_input_paths(draft, path, kind, root)
    check_training(draft)
    objective, task = _find_objective(draft), cast("Task | None", draft.plugins.get(("task",)))
    if objective is None:
        return
    number = steps.index(draft)
    if number:
        _check_start(draft, objective, _find_objective(steps[number - 1]))
    if task is not None and "sources" in draft.own_rows:
        others = {column for each in steps if (one := _find_objective(each)) for column in one.columns}
        _check_own_sources(draft, task, list_needed_columns(task, objective, others))
    elif task is not None:
        check_required_columns(draft, task)


def list_needed_columns(task: Task, objective: Objective, others: set[str]) -> list[str]:
    """Return the columns that the rows of a step must have: those of the task, without those that only the objectives
    of other steps read, and those of its own objective."""
    if not objective.uses_task_rows:
        return [*objective.columns]
    of_task = [name for name in task.columns if name not in others - {*objective.columns}]
    return [*of_task, *(name for name in objective.columns if name not in of_task)]


def _find_objective(draft: SpecDraft) -> Objective | None:
    return cast("Objective | None", draft.plugins.get((OBJECTIVE,)))


def _check_start(draft: SpecDraft, objective: Objective, before: Objective | None) -> None:
    """Report an objective that cannot go on from what the step before makes."""
    kind = draft.spec.adapter.kind if draft.spec is not None else "lora"
    if kind not in ("lora", "qlora"):
        draft.add_problem(("adapter", "kind"), f"several steps train one adapter; `kind: {kind}` trains in one step")
    if not objective.start_form:
        text = f"the objective {objective.kind!r} cannot start from another one's artifact; make it the only step"
        draft.add_problem((OBJECTIVE,), text)
    elif before is not None and before.start_form != objective.start_form:
        text = f"{objective.kind!r} cannot go on from what {before.kind!r} trains; use objectives of one form"
        draft.add_problem((OBJECTIVE,), text)


def _check_own_sources(draft: SpecDraft, task: Task, needed: Sequence[str]) -> None:
    """Report rows of a step that lack columns which its task, objective and own plugins read."""
    sources = [(path, cast(Source, plugin)) for path, plugin in draft.list_plugins_below(DATA, "sources")]
    known = [*task.added_columns, *(column for _, source in sources for column in source.output_columns)]
    for path, source in sources:
        lacking = list_missing_names(needed, source.output_columns)
        if lacking and not (source.tables and not source.output_columns):
            provided = ", ".join(source.output_columns) or "none"
            text = f"this step needs {format_names('column', lacking)}; {source.kind!r} provides {provided}"
            draft.add_problem(path, text)
    for path, plugin in draft.list_plugins_below(DATA, "synthesize"):
        check_plugin_columns(draft, path, plugin, known)
        known += cast(Synthesizer, plugin).output_columns
    for path, plugin in draft.list_plugins_below(DATA, "curate"):
        check_plugin_columns(draft, path, plugin, known)
