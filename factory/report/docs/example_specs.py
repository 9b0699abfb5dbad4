"""A short spec around one kind, which `check` accepts: the example on the kind's page."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import yaml

from factory.api import Contender, Curator, Eval, Input, Objective, Plugin, Probe, Source, Synthesizer, Target, Task
from factory.api.plugin import has_marker
from factory.errors import FactoryError
from factory.registry.registry import Registry
from factory.registry.resources import find_resource
from factory.spec.layers import resolve_spec
from factory.spec.new_spec import DEFAULT_DECODER, DEFAULT_ENCODER, choose_task_source

SpecBlock = dict[str, Any]
PLACEHOLDER_VALUES: Mapping[str, Any] = {"integer": 1, "number": 0.5, "string": "text", "boolean": True, "array": ["text"]}
ALIAS_MODELS: Mapping[str, str] = {"embedder": DEFAULT_ENCODER, "prompter": DEFAULT_DECODER}


def build_example_spec(kind: type[Plugin], registry: Registry) -> str:
    """A spec that uses a kind, as YAML; empty when none can be made up that checks."""
    tasks = [cast("type[Task]", task) for task in registry.list_classes("task")]
    form = getattr(kind, "output_type", "")
    fit = [kind] if issubclass(kind, Task) else [t for t in tasks if form in ("", t.output_type)]
    for task in sorted(fit, key=lambda task: (len(task.tables), len(task.columns))):
        for spec in _generate_candidate_specs(kind, task, registry):
            if is_valid_spec(spec, registry):
                return yaml.safe_dump(spec, sort_keys=False, allow_unicode=True, width=100, default_flow_style=None)
    return ""


def is_valid_spec(spec: Mapping[str, Any], registry: Registry) -> bool:
    """Whether nothing is wrong with a spec, in a folder that holds every file that it names."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "spec.yaml"
        file.write_text(yaml.safe_dump(dict(spec)), encoding="utf-8")
        for name in _find_relative_paths(spec):
            (Path(folder) / name).parent.mkdir(parents=True, exist_ok=True)
            (Path(folder) / name).touch()
        try:
            resolve_spec(file, registry=registry)
        except FactoryError:
            return False
    return True


def _find_relative_paths(value: Any) -> Iterator[str]:
    """Every text in a spec that looks like a relative path."""
    if isinstance(value, str) and not value.startswith(("wheel:", "http")) and "/v" not in value and value.isascii():
        yield value
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    for one in inner:
        yield from _find_relative_paths(one)


def _generate_candidate_specs(kind: type[Plugin], task: type[Task], registry: Registry) -> Iterator[SpecBlock]:
    """Specs with the kind in its place: over each source that could give what the task and the kind need."""
    block, own = build_minimal_block(kind), choose_task_source(task, registry)
    made = kind(**_extract_block_fields(block))
    needed = [name for name in _get_names_attribute(made, "columns") if name not in (*task.columns, *task.added_columns)]
    columns = [*task.columns, *needed]
    sources = [{"kind": "jsonl", "file": "rows.jsonl", "columns": columns}]
    if own is not None:
        sources.insert(0, build_minimal_block(own))
    if isinstance(made, Source):
        sources = [block, {**block, "columns": columns}]
    aliases = [alias for alias in made.get_required_models() if alias in ALIAS_MODELS]
    for source in sources:
        for student in (DEFAULT_DECODER,) if task.output_type == "text" else (DEFAULT_ENCODER, DEFAULT_DECODER):
            for more in ([], ["embedder"], ["prompter"]):
                models = {"student": student, **{alias: ALIAS_MODELS[alias] for alias in [*aliases, *more]}}
                spec = _place_plugin_block(made, task, block, {"models": models, "data": {"sources": [source]}})
                yield {**spec, **_get_spec_overlay(kind)}
                yield from _add_column_givers(made, spec, registry)


def _extract_block_fields(block: Any) -> SpecBlock:
    return {name: value for name, value in block.items() if name != "kind"} if isinstance(block, dict) else {}


def _add_column_givers(made: Plugin, spec: SpecBlock, registry: Registry) -> Iterator[SpecBlock]:
    """The same with each synthesizer before it that gives a column which the kind reads."""
    for found in registry.list_classes("synthesizer"):
        if set(_get_names_attribute(found, "output_columns")) & set(_get_names_attribute(made, "columns")):
            steps = [build_minimal_block(found), *spec["data"].get("synthesize", [])]
            yield {**spec, "data": {**spec["data"], "synthesize": steps}}


def _get_names_attribute(owner: Any, attribute: str) -> tuple[str, ...]:
    found = getattr(owner, attribute, ())
    return found if isinstance(found, tuple) else ()


def _place_plugin_block(made: Plugin, task: type[Task], block: Any, parts: SpecBlock) -> SpecBlock:
    """A spec of a task with the plugin's block where its role stands."""
    head: SpecBlock = {"apiVersion": "factory/v1", "name": "example"}
    spec = {**head, "task": block if isinstance(made, Task) else task.kind, **parts}
    data = parts["data"]
    if isinstance(made, Synthesizer | Curator):
        name = "synthesize" if isinstance(made, Synthesizer) else "curate"
        return {**spec, "data": {**data, name: [block]}}
    if isinstance(made, Objective):
        return {**spec, "objective": block if isinstance(block, dict) else {"kind": block}}
    if isinstance(made, Contender):
        alone = made.uses_adapter and made.in_gate
        return {**spec, "contenders": [block, *(n for n in ("tuned", "untuned") if n != made.kind and not
                                                (alone and n == "tuned"))]}
    if isinstance(made, Eval):
        before = task.get_defaults().get("evaluate", []) if isinstance(made, Probe) else []
        return {**spec, "evaluate": [*before, block]}
    return {**spec, "targets": [block]} if isinstance(made, Target) else spec


def _load_example_blocks() -> SpecBlock:
    known: SpecBlock = yaml.safe_load(find_resource("templates/docs/examples.yaml").read_text("utf-8"))
    return known


def _get_spec_overlay(kind: type[Plugin]) -> SpecBlock:
    found: SpecBlock = _load_example_blocks().get(f"{kind.role} {kind.kind} +", {})
    return found


def build_minimal_block(kind: type[Plugin]) -> Any:
    """The block of a kind with the fields that must be given; the kind alone when none must."""
    fields = _load_example_blocks().get(f"{kind.role} {kind.kind}")
    if fields is None:
        schema = kind.model_json_schema()
        fields = {name: _guess_field_value(kind, name, schema["properties"][name]) for name in schema.get("required", [])}
    return {"kind": kind.kind, **fields} if fields or kind.role in ("source",) else kind.kind


def _guess_field_value(kind: type[Plugin], name: str, schema: Mapping[str, Any]) -> Any:
    if has_marker(kind, name, Input):
        return f"{name}.jsonl"
    if "enum" in schema:
        return schema["enum"][0]
    if "minimum" in schema:
        return schema["minimum"]
    return PLACEHOLDER_VALUES.get(str(schema.get("type")), "text")
