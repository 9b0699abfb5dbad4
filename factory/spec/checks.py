"""What no single field can know: whether the parts of a spec fit each other."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, cast

from pydantic import BaseModel

from factory import models
from factory.api import Adapter, Contender, Input, Objective, Plugin, Source, Synthesizer, Target, Task
from factory.api.plugin import has_marker
from factory.errors import InputError
from factory.spec.blocks import PluginLookup
from factory.spec.data_requirements import check_data_requirements
from factory.spec.fields import ALIASES_WITH_DEFAULT, Models
from factory.spec.messages import iterate_annotation_models, suggest_known_name
from factory.spec.validation import SpecDraft, call_plugin_method
from factory.yaml import NodePath, format_value


def check_spec(draft: SpecDraft, root: Path, registry: PluginLookup) -> None:
    """Say all that does not fit together."""
    for steps, kind in draft.plugin_classes.items():
        _check_input_paths(draft, steps, kind, root)
    for model in Models.model_fields:
        _check_model_reference(draft, root, model)
    check_data_requirements(draft, registry)
    _check_model_usage(draft)
    _check_endpoint_prices(draft)
    task = draft.plugins.get(("task",))
    if task is not None:
        _check_output_types(draft, cast(Task, task), registry)
        _check_source_columns(draft, cast(Task, task))
        _check_required_columns(draft, cast(Task, task))
    if draft.has_only_valid_blocks("contenders"):
        _check_contender_set(draft)
    if draft.has_only_valid_blocks("evaluate"):
        _check_eval_metrics(draft, registry)
    _check_target_support(draft)


def _check_input_paths(draft: SpecDraft, steps: NodePath, model: type[BaseModel], root: Path) -> None:
    """Say which inputs are not there; their block may have other faults, so this looks at what was written."""
    for name, field in model.model_fields.items():
        node = draft.tree.find((*steps, name))
        for inner in iterate_annotation_models(field.annotation):
            _check_input_paths(draft, (*steps, name), inner, root)
        if not has_marker(model, name, Input) or (node and not isinstance(node.value, str)):
            continue
        value = node.value if node else field.default
        if node and not value and field.is_required():
            draft.add_problem((*steps, name), "empty; name a file or folder, relative to the spec's folder")
        elif value and isinstance(value, str | Path) and not os.path.exists(root / value):
            draft.add_problem((*steps, name), f"no such file or folder: {format_value(str(value))}, relative to the spec's folder")


def _check_model_reference(draft: SpecDraft, root: Path, name: str) -> None:
    reference = draft.get_field_text("models", name)
    if not reference:
        return
    try:
        base = models.parse_reference(reference, root)
    except InputError as error:
        draft.add_problem(("models", name), str(error))
        return
    except OSError:
        draft.add_problem(("models", name), f"{format_value(reference)} can not be the name of a folder, nor of a model")
        return
    if base.kind == "local" and not os.path.exists(root / os.path.expanduser(base.name)):
        draft.add_problem(("models", name), f"no such folder: {format_value(base.name)}, relative to the spec's folder")


def _check_model_usage(draft: SpecDraft) -> None:
    """Say which further models a plugin needs and the spec does not name, and which it names and nobody uses."""
    for steps, plugin in draft.plugins.items():
        lacking = [name for name in plugin.get_required_models() if not (name in ALIASES_WITH_DEFAULT or _has_model_field(draft, name))]
        if lacking:
            draft.add_problem(steps, f"{plugin.kind!r} needs the model {lacking[0]!r}; name one as models.{lacking[0]}")
    used = {name for plugin in (*draft.plugins.values(), *draft.metric_curators.values()) for name in plugin.get_required_models()}
    semantic = draft.tree.find(("data", "leakage", "semantic"))
    used |= {"embedder"} if semantic and semantic.value else set()
    teacher = draft.tree.find(("models", "teacher"))
    used |= {"teacher"} if teacher and isinstance(teacher.value, dict) else set()  # `factory advise` asks an endpoint
    for name in Models.model_fields:
        if name not in {"student", *used} and _has_model_field(draft, name) and len(draft.plugins) == len(draft.plugin_classes):
            draft.add_problem(("models", name), "nothing here uses it; remove it, or select a plugin that does")


def _has_model_field(draft: SpecDraft, name: str) -> bool:
    """Whether a field of `models` says anything: a reference, or an endpoint."""
    node = draft.tree.find(("models", name))
    return node is not None and node.value not in ("", {})


def _check_endpoint_prices(draft: SpecDraft) -> None:
    """Say whose answers a budget of money could not count."""
    money = draft.tree.find(("budget", "money"))
    for name in ALIASES_WITH_DEFAULT if money and money.value else ():
        node = draft.tree.find(("models", name))
        if node and isinstance(node.value, dict) and not (node.get_child("price_in") or node.get_child("price_out")):
            draft.add_problem(("models", name), "budget.money can not count it; give price_in and price_out, a million tokens")


def _check_output_types(draft: SpecDraft, task: Task, registry: PluginLookup) -> None:
    for steps, plugin in draft.plugins.items():
        form = getattr(plugin, "output_type", "")
        if plugin is not task and form and form != task.output_type:
            others = [kind.kind for kind in registry.list_classes(plugin.role) if _is_output_type_compatible(kind, task)]
            clash = f"{plugin.kind!r} is made for {form!r} answers, the task {task.kind!r} has {task.output_type!r}"
            draft.add_problem(steps, f"{clash}; use: {', '.join(others) or 'none is installed'}")


def _is_output_type_compatible(kind: type[Plugin], task: Task) -> bool:
    return getattr(kind, "output_type", "") in ("", task.output_type)


def _check_source_columns(draft: SpecDraft, task: Task) -> None:
    sources = [(steps, cast(Source, plugin)) for steps, plugin in draft.list_plugins_below("data", "sources")]
    some = any(source.output_columns for _, source in sources)
    for steps, source in sources:
        if some and source.tables and not source.output_columns:
            continue  # it fills a side table, and another one gives the rows
        if lacking := _list_missing_names(task.columns, source.output_columns):
            draft.add_problem(steps, f"the task {task.kind!r} needs {_format_column_names(lacking)}; "
                             f"{source.kind!r} gives {', '.join(source.output_columns) or 'none'}")
    tables = [table for _, source in sources for table in source.tables]
    if sources and draft.has_only_valid_blocks("data", "sources") and (lacking := _list_missing_names(task.tables, tables)):
        needed = f"the task {task.kind!r} needs the table {', '.join(lacking)}"
        draft.add_problem(("data", "sources"), f"{needed}; add a source that fills it")


def _check_required_columns(draft: SpecDraft, task: Task) -> None:
    every = [cast(Source, plugin).output_columns for _, plugin in draft.list_plugins_below("data", "sources")]
    sources = [gives for gives in every if gives]
    shared = [column for column in sources[0] if all(column in gives for gives in sources)] if sources else []
    frozen = [*task.columns, *task.added_columns, *shared]
    training = list(frozen)
    for steps, plugin in draft.list_plugins_below("data", "synthesize"):
        _check_plugin_columns(draft, steps, plugin, training)
        training.extend(cast(Synthesizer, plugin).output_columns)
    for steps, plugin in [*draft.list_plugins_below("data", "curate"), *draft.list_plugins_below("objective")]:
        _check_plugin_columns(draft, steps, plugin, training)
    for steps, plugin in [*draft.list_plugins_below("contenders"), *draft.list_plugins_below("evaluate")]:
        _check_plugin_columns(draft, steps, plugin, frozen)
    column = draft.get_field_text("data", "split", "stratify")
    if column and column not in frozen:
        draft.add_problem(("data", "split", "stratify"), f"rows have no column {column!r}; {suggest_known_name(column, frozen)}")
    compared = draft.tree.find(("data", "leakage", "on"))
    for number, item in enumerate(compared.value if compared and isinstance(compared.value, list) else ()):
        if isinstance(item.value, str) and item.value not in frozen:
            said = f"rows have no column {item.value!r}; {suggest_known_name(item.value, frozen)}"
            draft.add_problem(("data", "leakage", "on", number), said)


def _check_plugin_columns(draft: SpecDraft, steps: NodePath, plugin: Plugin, known: list[str]) -> None:
    if lacking := _list_missing_names(getattr(plugin, "columns", ()), known):
        has = ", ".join(dict.fromkeys(known)) or "none"
        draft.add_problem(steps, f"{plugin.kind!r} needs {_format_column_names(lacking)}; the rows it sees have {has}")


def _list_missing_names(needed: Iterable[str], given: Iterable[str]) -> list[str]:
    have = set(given)
    return [name for name in needed if name not in have]


def _format_column_names(names: list[str]) -> str:
    return f"the column{'s' * (len(names) > 1)} {', '.join(names)}"


def _check_contender_set(draft: SpecDraft) -> None:
    contenders = [(steps, cast(Contender, plugin)) for steps, plugin in draft.list_plugins_below("contenders")]
    for steps, text in _find_duplicate_contenders(contenders):
        draft.add_problem(steps, text)
    tuned = [(steps, contender) for steps, contender in contenders if contender.uses_adapter and contender.in_gate]
    if not tuned:
        draft.add_problem(("contenders",), "none uses the adapter; add 'tuned'")
    for steps, contender in tuned[1:]:
        if contender.kind != tuned[0][1].kind:
            draft.add_problem(steps, f"{contender.kind!r} uses the adapter, and so does {tuned[0][1].kind!r}; keep one")
    if not any(contender.in_gate and not contender.uses_adapter for _, contender in contenders):
        draft.add_problem(("contenders",), "no baseline; baselines may be loosened, never omitted: add one, such as 'untuned'")


def _find_duplicate_contenders(contenders: list[tuple[NodePath, Contender]]) -> Iterator[tuple[NodePath, str]]:
    seen: set[str] = set()
    for steps, contender in contenders:
        if contender.kind in seen:
            yield steps, f"a second {contender.kind!r}; answers are told apart by kind, keep one"
        seen.add(contender.kind)


def _check_eval_metrics(draft: SpecDraft, registry: PluginLookup) -> None:
    owners: dict[str, str] = {}
    for steps, plugin in draft.list_plugins_below("evaluate"):
        names = _list_metric_names(plugin)
        if again := [name for name in names if name in owners]:
            draft.add_problem(steps, f"{plugin.kind!r} gives {', '.join(again)}, so does {owners[again[0]]!r}; keep one")
        owners |= dict.fromkeys(names, plugin.kind)
    wanted = draft.get_field_text("gate", "metric")
    if wanted and owners and wanted not in owners:
        others = [kind.kind for kind in registry.list_classes("eval") if wanted in _list_metric_names(kind)]
        belongs = f"it belongs to the eval {others[0]!r}, which is not in evaluate; " if others else ""
        draft.add_problem(("gate", "metric"), f"no eval here gives {format_value(wanted)}; {belongs}{suggest_known_name(wanted, owners)}")


def _list_metric_names(plugin: Plugin | type[Plugin]) -> list[str]:
    metrics: Any = getattr(plugin, "metrics", ())  # a property, of a class: says nothing before its fields are known
    return [metric.name for metric in metrics] if isinstance(metrics, tuple) else []


def _check_target_support(draft: SpecDraft) -> None:
    objective = cast("Objective | None", draft.plugins.get(("objective",)))
    if objective is None:
        return
    rank = draft.tree.find(("adapter", "rank"))
    facts = {
        "heads": list(objective.modules_to_save), "rank": rank.value if rank and isinstance(rank.value, int) else Adapter().rank,
        "loader": objective.loader_class, "base": draft.get_field_text("models", "student"),
    }
    for steps, plugin in draft.list_plugins_below("targets"):
        target = cast(Target, plugin)
        if reason := call_plugin_method(f"target {target.kind!r}", lambda target=target: target.explain_refusal(facts)):  # type: ignore[misc]
            draft.add_problem(steps, reason)
