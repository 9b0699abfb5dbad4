"""Checks across fields: files, models, columns, output types, contenders, metrics, and the tests of `data.require`."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Any, cast

from pydantic import BaseModel, ValidationError

from factory import models
from factory.api import Contender, Curator, Input, Objective, Plugin, Target, Task
from factory.api.spec_block import has_marker
from factory.data.requirements import LABELS_OUTPUT_TYPES, REQUIREMENT_METRICS
from factory.errors import InputError
from factory.registry.registry import Registry
from factory.spec.column_checks import check_required_columns, check_source_columns
from factory.spec.fields import ALIASES_WITH_DEFAULT, Models
from factory.spec.gate_checks import (
    check_baselines,
    check_deciding_metrics,
    check_delivery,
    check_judged_steps,
    check_target,
)
from factory.spec.messages import iterate_annotation_models
from factory.spec.path_checks import check_review_file, describe_irregular_path
from factory.spec.paths import suggest_path
from factory.spec.training_checks import check_training, describe_adapter
from factory.spec.validation import SpecDraft, call_plugin_method
from factory.text.suggestions import suggest_known_name
from factory.yaml import NodePath, format_value


def check_spec(draft: SpecDraft, root: Path, registry: Registry) -> None:
    """Add the problems of a draft whose fields are valid one by one."""
    for steps, kind in draft.plugin_classes.items():
        check_input_paths(draft, steps, kind, root)
    check_review_file(draft, root)
    for model in Models.model_fields:
        _check_model_reference(draft, root, model)
    _check_data_requirements(draft, registry)
    _check_model_usage(draft)
    _check_endpoint_prices(draft)
    task = cast("Task | None", draft.plugins.get(("task",)))
    if task is not None:
        _check_output_types(draft, task, registry)
        check_source_columns(draft, task)
        check_required_columns(draft, task)
    if draft.has_only_valid_blocks("contenders"):
        _check_contender_set(draft)
    if draft.has_only_valid_blocks("evaluate"):
        _check_eval_metrics(draft, registry)
    _check_target_support(draft)
    check_judged_steps(draft)
    check_training(draft)


def check_input_paths(draft: SpecDraft, steps: NodePath, model: type[BaseModel], root: Path) -> None:
    """Report missing input files. Reads the nodes, as a block with other errors has no plugin."""
    for name, field in model.model_fields.items():
        node = draft.tree.find((*steps, name))
        for inner in iterate_annotation_models(field.annotation):
            check_input_paths(draft, (*steps, name), inner, root)
        if not has_marker(model, name, Input) or (node and not isinstance(node.value, str)):
            continue
        value = node.value if node else field.default
        if node and not value and field.is_required():
            draft.add_problem((*steps, name), "empty; name a file or folder, relative to the spec's folder")
        elif value and isinstance(value, str | Path) and not os.path.exists(root / value):
            text = f"no such file or folder: {format_value(str(value))}, relative to the spec's folder"
            draft.add_problem((*steps, name), f"{text}{suggest_path(str(value), root)}")
        elif value and isinstance(value, str | Path) and (problem := describe_irregular_path(root / value)):
            draft.add_problem((*steps, name), f"{format_value(str(value))} {problem}")


def _check_model_reference(draft: SpecDraft, root: Path, name: str) -> None:
    reference = draft.get_field_text("models", name)
    if not reference:
        return
    steps = ("models", name)
    try:
        base = models.parse_reference(reference, root)
    except InputError as error:
        draft.add_problem(steps, str(error))
    except OSError:
        draft.add_problem(steps, f"{format_value(reference)} is not a valid folder or model name")
    else:
        if base.kind == "local" and not os.path.exists(root / os.path.expanduser(base.name)):
            text = f"no such folder: {format_value(base.name)}, relative to the spec's folder"
            draft.add_problem(steps, f"{text}{suggest_path(base.name, root)}")


def _check_model_usage(draft: SpecDraft) -> None:
    """Report models that a plugin needs and the spec does not set, and models that nothing uses."""
    for steps, plugin in draft.plugins.items():
        required = [name for name in plugin.get_required_models() if name not in ALIASES_WITH_DEFAULT]
        if missing := [name for name in required if not _has_model_field(draft, name)]:
            draft.add_problem(steps, f"{plugin.kind!r} needs the model {missing[0]!r}; set models.{missing[0]}")
    plugins = (*draft.plugins.values(), *draft.metric_curators.values(), *draft.step_plugins)
    used = {"student", *(name for plugin in plugins for name in plugin.get_required_models())}
    if draft.get_value("data", "leakage", "cosine"):
        used.add("embedder")
    if isinstance(draft.get_value("models", "teacher"), dict):
        used.add("teacher")  # `factory advise` tries it as a contender
    if len(draft.plugins) < len(draft.plugin_classes):
        return  # a block with errors may be the one that uses a model
    for name in Models.model_fields:
        if name not in used and _has_model_field(draft, name):
            draft.add_problem(("models", name), "unused; remove it, or add a plugin that uses it")


def _has_model_field(draft: SpecDraft, name: str) -> bool:
    node = draft.tree.find(("models", name))
    return node is not None and node.value not in ("", {})


def _check_endpoint_prices(draft: SpecDraft) -> None:
    """Report endpoints without prices, whose answers `budget.cost` could not limit."""
    for name in ALIASES_WITH_DEFAULT if draft.get_value("budget", "cost") else ():
        endpoint = draft.get_value("models", name)
        if isinstance(endpoint, dict) and not endpoint.keys() & {"price_in", "price_out"}:
            text = "budget.cost needs prices; set price_in and price_out, per million tokens"
            draft.add_problem(("models", name), text)


def _check_output_types(draft: SpecDraft, task: Task, registry: Registry) -> None:
    compatible = {"", task.output_type}
    for steps, plugin in draft.plugins.items():
        output_type, *further = _list_output_types(plugin)
        if plugin is not task and compatible.isdisjoint([output_type, *further]):
            kinds = registry.list_classes(plugin.role)
            others = [kind.kind for kind in kinds if not compatible.isdisjoint(_list_output_types(kind))]
            clash = f"{plugin.kind!r} is for {output_type!r} answers, the task {task.kind!r} has {task.output_type!r}"
            draft.add_problem(steps, f"{clash}; use: {', '.join(others) or 'none is installed'}")


def _list_output_types(plugin: Plugin | type[Plugin]) -> list[str]:
    return [getattr(plugin, "output_type", ""), *getattr(plugin, "further_output_types", ())]


def _check_contender_set(draft: SpecDraft) -> None:
    contenders = [(steps, cast(Contender, plugin)) for steps, plugin in draft.list_plugins_below("contenders")]
    seen: set[str] = set()
    for steps, contender in contenders:
        if contender.kind in seen:
            text = f"duplicate contender {contender.kind!r}; keep one, as answers are stored by kind"
            draft.add_problem(steps, text)
        seen.add(contender.kind)
    tuned = [(steps, contender) for steps, contender in contenders if contender.uses_artifact and contender.in_gate]
    if not tuned:
        draft.add_problem(("contenders",), "no contender uses the trained artifact; add 'tuned'")
    for steps, contender in tuned[1:]:
        if contender.kind != tuned[0][1].kind:
            draft.add_problem(steps, f"{contender.kind!r} and {tuned[0][1].kind!r} both use the artifact; keep one")
    for check in (check_baselines, check_target, check_delivery):
        check(draft, [contender for _, contender in contenders])


def _check_eval_metrics(draft: SpecDraft, registry: Registry) -> None:
    # Scores are stored by metric name: two evals with one metric would overwrite each other.
    owners: dict[str, str] = {}
    for steps, plugin in draft.list_plugins_below("evaluate"):
        names = _list_metric_names(plugin)
        if repeated := [name for name in names if name in owners]:
            text = f"{plugin.kind!r} reports {', '.join(repeated)}, as does {owners[repeated[0]]!r}; keep one"
            draft.add_problem(steps, text)
        owners |= dict.fromkeys(names, plugin.kind)
    metric, totals = draft.get_field_text("gate", "metric"), _list_total_names(draft)
    if metric and owners and metric not in (*owners, *totals):
        others = [kind.kind for kind in registry.list_classes("eval") if metric in _list_metric_names(kind)]
        hint = f"add the eval {others[0]!r}, which reports it; " if others else ""
        text = f"no eval reports {format_value(metric)}; {hint}{suggest_known_name(metric, [*owners, *totals])}"
        draft.add_problem(("gate", "metric"), text)
    if owners:
        check_deciding_metrics(draft, [*owners], totals)


def _list_metric_names(plugin: Plugin | type[Plugin], field: str = "metrics") -> list[str]:
    # On a class, `metrics` may be a property that depends on the fields.
    metrics: Any = getattr(plugin, field, ())
    return [metric.name for metric in metrics] if isinstance(metrics, tuple) else []


def _list_total_names(draft: SpecDraft) -> list[str]:
    """Return the totals that may decide the gate."""
    evals = [plugin for _, plugin in draft.list_plugins_below("evaluate")]
    return [name for plugin in evals for name in _list_metric_names(plugin, "total_metrics")]


def _check_target_support(draft: SpecDraft) -> None:
    objective = cast("Objective | None", draft.plugins.get(("objective",)))
    if objective is None:
        return
    facts = {
        "heads": list(objective.modules_to_save), "loader": objective.loader_class,
        "base": draft.get_field_text("models", "student"), **describe_adapter(draft, objective),
    }
    for steps, plugin in draft.list_plugins_below("targets"):
        explain = partial(cast(Target, plugin).explain_refusal, facts)
        if reason := call_plugin_method(f"target {plugin.kind!r}", explain):
            draft.add_problem(steps, reason)


def _check_data_requirements(draft: SpecDraft, registry: Registry) -> None:
    """Report problems of the data tests, and record the curators that measure their metrics."""
    for number, item in enumerate(draft.list_items("data", "require")):
        if not isinstance(item.value, dict):
            continue
        steps = ("data", "require", number)
        low, high, metric = (item.to_plain().get(name) for name in ("min", "max", "metric"))
        if low is None and high is None:
            draft.add_problem(steps, "no limit; add max, min or both")
        elif isinstance(low, int | float) and isinstance(high, int | float) and low > high:
            draft.add_problem(steps, f"no value can pass: min {low:g} is above max {high:g}")
        if isinstance(metric, str):
            _check_requirement_metric(draft, (*steps, "metric"), metric, registry)


def _check_requirement_metric(draft: SpecDraft, steps: NodePath, name: str, registry: Registry) -> None:
    task = cast("Task | None", draft.plugins.get(("task",)))
    if name in REQUIREMENT_METRICS:
        if name == "labels_min" and task is not None and task.output_type not in LABELS_OUTPUT_TYPES:
            draft.add_problem(steps, f"the task {task.kind!r} has no labels; remove this test")
        return
    curators = cast("list[type[Curator]]", registry.list_classes("curator"))
    kinds = {kind.share_metric: kind for kind in curators if kind.share_metric}
    if name not in kinds:
        hint = suggest_known_name(name, [*REQUIREMENT_METRICS, *kinds])
        draft.add_problem(steps, f"unknown metric {format_value(name)}; {hint}")
    elif (curator := _find_metric_curator(draft, kinds[name])) is None:
        text = f"the curator {kinds[name].kind!r} measures this and has required fields; add it to data.curate"
        draft.add_problem(steps, text)
    else:
        draft.metric_curators[name] = curator
        for alias in curator.get_required_models():
            if alias not in ALIASES_WITH_DEFAULT and not draft.tree.find(("models", alias)):
                draft.add_problem(steps, f"{curator.kind!r} needs the model {alias!r}; set models.{alias}")
                break


def _find_metric_curator(draft: SpecDraft, kind: type[Curator]) -> Curator | None:
    """Return the curator as `data.curate` sets it, else with its defaults; None if a field is required."""
    for _, plugin in draft.list_plugins_below("data", "curate"):
        if type(plugin) is kind:
            return plugin
    try:
        return kind()
    except ValidationError:
        return None
