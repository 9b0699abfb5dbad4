"""What no single field can know: whether the parts of a spec fit each other."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, cast

from pydantic import BaseModel

from factory import bases
from factory.api import Adapter, Contender, Input, Objective, Plugin, Source, Synthesizer, Target, Task
from factory.api.plugin import has_marker
from factory.errors import InputError
from factory.resolve.blocks import Kinds
from factory.resolve.draft import Draft, ask
from factory.resolve.messages import did_you_mean, models_in
from factory.resolve.required import required
from factory.source import NodePath, format_value
from factory.spec import EMBEDDED_FOR, Models


def check(draft: Draft, root: Path, registry: Kinds) -> None:
    """Say all that does not fit together."""
    for steps, kind in draft.kinds.items():
        _inputs(draft, steps, kind, root)
    for model in Models.model_fields:
        _model(draft, root, model)
    required(draft, registry)
    _used(draft)
    _priced(draft)
    task = draft.plugins.get(("task",))
    if task is not None:
        _answers(draft, cast(Task, task), registry)
        _sources(draft, cast(Task, task))
        _columns(draft, cast(Task, task))
    if draft.whole("contenders"):
        _contenders(draft)
    if draft.whole("evaluate"):
        _metrics(draft, registry)
    _targets(draft)


def _inputs(draft: Draft, steps: NodePath, model: type[BaseModel], root: Path) -> None:
    """Say which inputs are not there; their block may have other faults, so this looks at what was written."""
    for name, field in model.model_fields.items():
        node = draft.top.find((*steps, name))
        for inner in models_in(field.annotation):
            _inputs(draft, (*steps, name), inner, root)
        if not has_marker(model, name, Input) or (node and not isinstance(node.value, str)):
            continue
        value = node.value if node else field.default
        if node and not value and field.is_required():
            draft.say((*steps, name), "empty; name a file or folder, relative to the spec's folder")
        elif value and isinstance(value, str | Path) and not os.path.exists(root / value):
            draft.say((*steps, name), f"no such file or folder: {format_value(str(value))}, relative to the spec's folder")


def _model(draft: Draft, root: Path, name: str) -> None:
    reference = draft.text("models", name)
    if not reference:
        return
    try:
        base = bases.parse_reference(reference, root)
    except InputError as error:
        draft.say(("models", name), str(error))
        return
    except OSError:
        draft.say(("models", name), f"{format_value(reference)} can not be the name of a folder, nor of a model")
        return
    if base.kind == "local" and not os.path.exists(root / os.path.expanduser(base.name)):
        draft.say(("models", name), f"no such folder: {format_value(base.name)}, relative to the spec's folder")


def _used(draft: Draft) -> None:
    """Say which further models a plugin needs and the spec does not name, and which it names and nobody uses."""
    for steps, plugin in draft.plugins.items():
        lacking = [name for name in plugin.get_required_models() if not (name in EMBEDDED_FOR or _names_model(draft, name))]
        if lacking:
            draft.say(steps, f"{plugin.kind!r} needs the model {lacking[0]!r}; name one as models.{lacking[0]}")
    used = {name for plugin in (*draft.plugins.values(), *draft.measures.values()) for name in plugin.get_required_models()}
    semantic = draft.top.find(("data", "leakage", "semantic"))
    used |= {"embedder"} if semantic and semantic.value else set()
    teacher = draft.top.find(("models", "teacher"))
    used |= {"teacher"} if teacher and isinstance(teacher.value, dict) else set()  # `factory advise` asks an endpoint
    for name in Models.model_fields:
        if name not in {"student", *used} and _names_model(draft, name) and len(draft.plugins) == len(draft.kinds):
            draft.say(("models", name), "nothing here uses it; remove it, or select a plugin that does")


def _names_model(draft: Draft, name: str) -> bool:
    """Whether a field of `models` says anything: a reference, or an endpoint."""
    node = draft.top.find(("models", name))
    return node is not None and node.value not in ("", {})


def _priced(draft: Draft) -> None:
    """Say whose answers a budget of money could not count."""
    money = draft.top.find(("budget", "money"))
    for name in EMBEDDED_FOR if money and money.value else ():
        node = draft.top.find(("models", name))
        if node and isinstance(node.value, dict) and not (node.get_child("price_in") or node.get_child("price_out")):
            draft.say(("models", name), "budget.money can not count it; give price_in and price_out, a million tokens")


def _answers(draft: Draft, task: Task, registry: Kinds) -> None:
    for steps, plugin in draft.plugins.items():
        form = getattr(plugin, "answers", "")
        if plugin is not task and form and form != task.output_type:
            others = [kind.kind for kind in registry.classes(plugin.role) if _fits(kind, task)]
            clash = f"{plugin.kind!r} is made for {form!r} answers, the task {task.kind!r} has {task.output_type!r}"
            draft.say(steps, f"{clash}; use: {', '.join(others) or 'none is installed'}")


def _fits(kind: type[Plugin], task: Task) -> bool:
    return getattr(kind, "answers", "") in ("", task.output_type)


def _sources(draft: Draft, task: Task) -> None:
    sources = [(steps, cast(Source, plugin)) for steps, plugin in draft.at("data", "sources")]
    some = any(source.output_columns for _, source in sources)
    for steps, source in sources:
        if some and source.tables and not source.output_columns:
            continue  # it fills a side table, and another one gives the rows
        if lacking := _lacking(task.columns, source.output_columns):
            draft.say(steps, f"the task {task.kind!r} needs {_columns_named(lacking)}; "
                             f"{source.kind!r} gives {', '.join(source.output_columns) or 'none'}")
    tables = [table for _, source in sources for table in source.tables]
    if sources and draft.whole("data", "sources") and (lacking := _lacking(task.tables, tables)):
        needed = f"the task {task.kind!r} needs the table {', '.join(lacking)}"
        draft.say(("data", "sources"), f"{needed}; add a source that fills it")


def _columns(draft: Draft, task: Task) -> None:
    every = [cast(Source, plugin).output_columns for _, plugin in draft.at("data", "sources")]
    sources = [gives for gives in every if gives]
    shared = [column for column in sources[0] if all(column in gives for gives in sources)] if sources else []
    frozen = [*task.columns, *task.added_columns, *shared]
    training = list(frozen)
    for steps, plugin in draft.at("data", "synthesize"):
        _needs(draft, steps, plugin, training)
        training.extend(cast(Synthesizer, plugin).output_columns)
    for steps, plugin in [*draft.at("data", "curate"), *draft.at("objective")]:
        _needs(draft, steps, plugin, training)
    for steps, plugin in [*draft.at("contenders"), *draft.at("evaluate")]:
        _needs(draft, steps, plugin, frozen)
    column = draft.text("data", "split", "stratify")
    if column and column not in frozen:
        draft.say(("data", "split", "stratify"), f"rows have no column {column!r}; {did_you_mean(column, frozen)}")
    compared = draft.top.find(("data", "leakage", "on"))
    for number, item in enumerate(compared.value if compared and isinstance(compared.value, list) else ()):
        if isinstance(item.value, str) and item.value not in frozen:
            said = f"rows have no column {item.value!r}; {did_you_mean(item.value, frozen)}"
            draft.say(("data", "leakage", "on", number), said)


def _needs(draft: Draft, steps: NodePath, plugin: Plugin, known: list[str]) -> None:
    if lacking := _lacking(getattr(plugin, "columns", ()), known):
        has = ", ".join(dict.fromkeys(known)) or "none"
        draft.say(steps, f"{plugin.kind!r} needs {_columns_named(lacking)}; the rows it sees have {has}")


def _lacking(needed: Iterable[str], given: Iterable[str]) -> list[str]:
    have = set(given)
    return [name for name in needed if name not in have]


def _columns_named(names: list[str]) -> str:
    return f"the column{'s' * (len(names) > 1)} {', '.join(names)}"


def _contenders(draft: Draft) -> None:
    contenders = [(steps, cast(Contender, plugin)) for steps, plugin in draft.at("contenders")]
    for steps, text in _twice(contenders):
        draft.say(steps, text)
    tuned = [(steps, contender) for steps, contender in contenders if contender.uses_adapter and contender.in_gate]
    if not tuned:
        draft.say(("contenders",), "none uses the adapter; add 'tuned'")
    for steps, contender in tuned[1:]:
        if contender.kind != tuned[0][1].kind:
            draft.say(steps, f"{contender.kind!r} uses the adapter, and so does {tuned[0][1].kind!r}; keep one")
    if not any(contender.in_gate and not contender.uses_adapter for _, contender in contenders):
        draft.say(("contenders",), "no baseline; baselines may be loosened, never omitted: add one, such as 'untuned'")


def _twice(contenders: list[tuple[NodePath, Contender]]) -> Iterator[tuple[NodePath, str]]:
    seen: set[str] = set()
    for steps, contender in contenders:
        if contender.kind in seen:
            yield steps, f"a second {contender.kind!r}; answers are told apart by kind, keep one"
        seen.add(contender.kind)


def _metrics(draft: Draft, registry: Kinds) -> None:
    owners: dict[str, str] = {}
    for steps, plugin in draft.at("evaluate"):
        names = _names(plugin)
        if again := [name for name in names if name in owners]:
            draft.say(steps, f"{plugin.kind!r} gives {', '.join(again)}, so does {owners[again[0]]!r}; keep one")
        owners |= dict.fromkeys(names, plugin.kind)
    wanted = draft.text("gate", "metric")
    if wanted and owners and wanted not in owners:
        others = [kind.kind for kind in registry.classes("eval") if wanted in _names(kind)]
        belongs = f"it belongs to the eval {others[0]!r}, which is not in evaluate; " if others else ""
        draft.say(("gate", "metric"), f"no eval here gives {format_value(wanted)}; {belongs}{did_you_mean(wanted, owners)}")


def _names(plugin: Plugin | type[Plugin]) -> list[str]:
    metrics: Any = getattr(plugin, "metrics", ())  # a property, of a class: says nothing before its fields are known
    return [metric.name for metric in metrics] if isinstance(metrics, tuple) else []


def _targets(draft: Draft) -> None:
    objective = cast("Objective | None", draft.plugins.get(("objective",)))
    if objective is None:
        return
    rank = draft.top.find(("adapter", "rank"))
    facts = {
        "heads": list(objective.modules_to_save), "rank": rank.value if rank and isinstance(rank.value, int) else Adapter().rank,
        "loader": objective.loader_class, "base": draft.text("models", "student"),
    }
    for steps, plugin in draft.at("targets"):
        target = cast(Target, plugin)
        if reason := ask(f"target {target.kind!r}", lambda target=target: target.explain_refusal(facts)):  # type: ignore[misc]
            draft.say(steps, reason)
