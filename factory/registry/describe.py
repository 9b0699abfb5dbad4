"""Descriptions of plugin classes: fields with types and defaults, columns, and the tasks and runs that use them."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from pydantic_core import to_jsonable_python

from factory.api import Input, Plugin, Runtime, Task
from factory.api.spec_block import has_marker
from factory.registry.block_paths import BLOCK_LISTS, SINGLE_BLOCKS
from factory.registry.registry import Registry
from factory.store.journal import find_last_run_start, list_journals

CLASS_FACT_LABELS = {
    "columns": "columns read", "output_columns": "columns produced", "added_columns": "columns added",
    "tables": "side tables", "output_type": "output type", "further_output_types": "further output types",
    "modules_to_save": "modules to save", "loader_class": "loaded with",
}
"""Class attribute → its label in help and documentation."""


@dataclass(frozen=True, slots=True)
class FieldDescription:
    """A field of a plugin: its type in words, its default (None if required) and its description (`what`)."""

    name: str
    type: str
    default: Any
    required: bool
    what: str
    marks: tuple[str, ...] = ()


def describe_fields(kind: type[Plugin]) -> list[FieldDescription]:
    """Describe the fields of a class, in order."""
    schema = kind.model_json_schema()
    descriptions = []
    for name, field in kind.model_fields.items():
        type_text = describe_type(schema["properties"].get(name, {}), schema.get("$defs", {}))
        required = field.is_required()
        default = None if required else to_jsonable_python(field.get_default(call_default_factory=True))
        marks = tuple(mark.__name__.lower() for mark in (Input, Runtime) if has_marker(kind, name, mark))
        descriptions.append(FieldDescription(name, type_text, default, required, field.description or "", marks))
    return descriptions


def describe_type(schema: Mapping[str, Any], known: Mapping[str, Any]) -> str:
    """Describe a JSON Schema in a few words: `int, 1 to 512`, `mean | first`, `list of text`."""
    if "$ref" in schema:
        inner = known.get(schema["$ref"].rpartition("/")[2], {})
        if "properties" in inner:
            return "{" + ", ".join(inner["properties"]) + "}"
        return describe_type(inner, known)
    if "enum" in schema or "const" in schema:
        return " | ".join(str(value) for value in schema.get("enum", [schema.get("const")]))
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(describe_type(part, known) for part in schema["anyOf"]))
    names = {"string": "text", "integer": "int", "number": "number", "boolean": "true | false", "null": "nothing"}
    form = str(schema.get("type", "anything"))
    if form == "array":
        return f"list of {describe_type(schema['items'], known)}" if "items" in schema else "list"
    if form == "object":
        return "mapping"
    if schema.get("format") in ("path", "file-path"):
        return "path"
    return names.get(form, form) + _describe_number_bounds(schema)


def _describe_number_bounds(schema: Mapping[str, Any]) -> str:
    if "minimum" in schema and "maximum" in schema:
        return f", {schema['minimum']:g} to {schema['maximum']:g}"
    words = {"exclusiveMinimum": "above", "minimum": "at least", "exclusiveMaximum": "below", "maximum": "at most"}
    return "".join(f", {text} {schema[name]:g}" for name, text in words.items() if name in schema)


def describe_class_facts(kind: type[Plugin]) -> dict[str, str]:
    """Return label → text for what a class declares besides its fields; values that depend on fields are left out."""
    values = {label: getattr(kind, attribute, "") for attribute, label in CLASS_FACT_LABELS.items()}
    texts = {label: ", ".join(value) if isinstance(value, tuple) else value for label, value in values.items()}
    return {label: text for label, text in texts.items() if isinstance(text, str) and text}


def list_kind_users(kind: type[Plugin], registry: Registry, home: Path) -> list[str]:
    """Return the users of a kind: tasks whose defaults name it, and specialists whose newest run used it."""
    tasks = [cast("type[Task]", task) for task in registry.list_classes("task")]
    by_default = [user for task in tasks for user in _list_default_users(kind, task)]
    return [*by_default, *(f"the specialist {name}" for name in _iter_specialists_using(kind, home))]


def _list_default_users(kind: type[Plugin], task: type[Task]) -> list[str]:
    """Return the task, by profile, if its defaults name a kind; a task that can not say them hurts no other kind."""
    try:
        specs = {"": task.get_defaults(), **task.get_profiles()}
        found = [name for name, spec in specs.items() if kind.kind in _collect_spec_kinds(spec, kind.role)]
    except Exception as error:  # a plugin's own code
        return [f"perhaps the task {task.kind}, whose defaults can not be read ({type(error).__name__}: {error})"]
    return [f"the task {task.kind}" + (f", profile {name}" if name else "") for name in found]


def _collect_spec_kinds(spec: Mapping[str, Any], role: str) -> set[str]:
    """Return the kinds of a role in a partial spec."""
    kinds: set[str] = set()
    for steps, block_role in {**SINGLE_BLOCKS, **BLOCK_LISTS}.items():
        value: Any = spec if block_role == role else None
        for step in steps:
            value = value.get(step) if isinstance(value, Mapping) else None
        blocks = value if isinstance(value, list) else [value]
        kinds.update(str(block.get("kind") if isinstance(block, Mapping) else block) for block in blocks if block)
    return kinds


def _iter_specialists_using(kind: type[Plugin], home: Path) -> Iterator[str]:
    """Yield the names of specialists whose newest run used a kind."""
    blocks = {**SINGLE_BLOCKS, **BLOCK_LISTS}.items()
    paths = tuple(".".join(map(str, steps)) for steps, role in blocks if role == kind.role)
    names = {path.parent.name.split("-", 2)[-1].rpartition("-")[0] for path in list_journals(home)}
    for name in sorted(names):
        run = find_last_run_start(home, name)
        known = {str(value.get("path", "")): value.get("value") for value in run.resolved} if run else {}
        if any(path.startswith(paths) and path.endswith("kind") and known[path] == kind.kind for path in known):
            yield name


def render_plugin_help(kind: type[Plugin], registry: Registry, home: Path) -> str:
    """Render the help text of a class."""
    package = registry.get_package(kind)
    lines = [f"{kind.kind}: {kind.role}, version {kind.version}, of {package.name} {package.version}".rstrip(), ""]
    lines += [f"  {line}".rstrip() for line in inspect.cleandoc(kind.__doc__ or "").splitlines()] + [""]
    lines += [f"  {name}: {value}" for name, value in describe_class_facts(kind).items()]
    metrics: Any = getattr(kind, "metrics", ())
    lines += [f"  metric {metric.name}: {metric.what}" for metric in metrics if isinstance(metrics, tuple)]
    fields = describe_fields(kind)
    lines += ["", "fields:"] if fields else ["", "no fields"]
    for field in fields:
        default = "required" if field.required else f"default {json.dumps(field.default, ensure_ascii=False)}"
        marks = "".join(f", {mark}" for mark in field.marks)
        lines += [f"  {field.name} ({field.type}; {default}{marks})", f"      {field.what}"]
    users = list_kind_users(kind, registry, home)
    usage = f"used by {', '.join(users)}" if users else "not used by any task's defaults or any run"
    return "\n".join([*lines, "", usage])
