"""Checks of columns: those that the task and the plugins of a spec read must be in its rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import cast

from factory.api import Plugin, Source, Synthesizer, Task
from factory.spec.validation import SpecDraft
from factory.text.suggestions import suggest_known_name
from factory.yaml import NodePath


def check_source_columns(draft: SpecDraft, task: Task) -> None:
    """Report sources without the columns of the task, and side tables that no source fills."""
    sources = [(steps, cast(Source, plugin)) for steps, plugin in draft.list_plugins_below("data", "sources")]
    has_row_source = any(source.output_columns for _, source in sources)
    for steps, source in sources:
        if has_row_source and source.tables and not source.output_columns:
            continue  # it fills a side table; another source provides the rows
        if lacking := list_missing_names(task.columns, source.output_columns):
            needed, provided = format_names("column", lacking), ", ".join(source.output_columns) or "none"
            text = f"the task {task.kind!r} needs {needed}; {source.kind!r} provides {provided}"
            draft.add_problem(steps, text)
    tables = [table for _, source in sources for table in source.tables]
    lacking = list_missing_names(task.tables, tables)
    if lacking and sources and draft.has_only_valid_blocks("data", "sources"):
        text = f"the task {task.kind!r} needs {format_names('table', lacking)}; add a source that provides it"
        draft.add_problem(("data", "sources"), text)


def check_required_columns(draft: SpecDraft, task: Task) -> None:
    """Report columns that plugins, the split and leakage read and no row has."""
    sources = [cast(Source, plugin) for _, plugin in draft.list_plugins_below("data", "sources")]
    outputs = [source.output_columns for source in sources if source.output_columns]
    shared = [column for column in outputs[0] if all(column in columns for columns in outputs)] if outputs else []
    # Synthesizers add columns to training rows only: contenders and evals see the frozen rows, without these.
    frozen = [*task.columns, *task.added_columns, *shared]
    training = list(frozen)
    for steps, plugin in draft.list_plugins_below("data", "synthesize"):
        check_plugin_columns(draft, steps, plugin, training)
        training.extend(cast(Synthesizer, plugin).output_columns)
    for steps, plugin in [*draft.list_plugins_below("data", "curate"), *draft.list_plugins_below("objective")]:
        check_plugin_columns(draft, steps, plugin, training)
    for steps, plugin in [*draft.list_plugins_below("contenders"), *draft.list_plugins_below("evaluate")]:
        check_plugin_columns(draft, steps, plugin, frozen)
    column, steps = draft.get_field_text("data", "split", "stratify"), ("data", "split", "stratify")
    if column and column not in frozen:
        draft.add_problem(steps, f"rows have no column {column!r}; {suggest_known_name(column, frozen)}")
    for number, item in enumerate(draft.list_items("data", "leakage", "columns")):
        if isinstance(item.value, str) and item.value not in frozen:
            text = f"rows have no column {item.value!r}; {suggest_known_name(item.value, frozen)}"
            draft.add_problem(("data", "leakage", "columns", number), text)


def check_plugin_columns(draft: SpecDraft, steps: NodePath, plugin: Plugin, known: list[str]) -> None:
    """Report a plugin that reads columns which are not known."""
    if lacking := list_missing_names(getattr(plugin, "columns", ()), known):
        has = ", ".join(dict.fromkeys(known)) or "none"
        draft.add_problem(steps, f"{plugin.kind!r} needs {format_names('column', lacking)}; its rows have {has}")


def list_missing_names(needed: Iterable[str], available: Iterable[str]) -> list[str]:
    """Return the needed names that are not available."""
    known = set(available)
    return [name for name in needed if name not in known]


def format_names(noun: str, names: Sequence[str]) -> str:
    """Return `the columns a, b`, or `the column a`."""
    return f"the {noun}{'s' * (len(names) > 1)} {', '.join(names)}"
