"""Generates a short valid spec that uses a given kind: the example on the reference page of the kind."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Any, cast

import yaml

from factory.api import Contender, Curator, Eval, Input, Objective, Plugin, Probe, Source, Synthesizer, Target, Task
from factory.api.spec_block import has_marker
from factory.errors import FactoryError
from factory.registry.registry import Registry
from factory.registry.resources import find_resource
from factory.spec.layers import resolve_spec
from factory.spec.new_spec import DEFAULT_DECODER, DEFAULT_ENCODER, choose_task_source

SpecBlock = dict[str, Any]
PLACEHOLDER_VALUES: Mapping[str, Any] = {
    "integer": 1, "number": 0.5, "string": "text", "boolean": True, "array": ["text"],
}
ALIAS_MODELS: Mapping[str, str] = {"embedder": DEFAULT_ENCODER, "prompter": DEFAULT_DECODER}


def build_example_spec(kind: type[Plugin], registry: Registry) -> str:
    """Return a valid spec that uses a kind, as YAML; empty if no candidate is valid."""
    tasks = [cast("type[Task]", task) for task in registry.list_classes("task")]
    output_type = getattr(kind, "output_type", "")
    fitting = [kind] if issubclass(kind, Task) else [t for t in tasks if output_type in ("", t.output_type)]
    block = _load_example_blocks().get(f"{kind.role} {kind.kind} +", {}).get("task")
    if isinstance(block, dict):  # a variant of a task, which no list of tasks has
        fitting = [cast("type[Task]", registry.find("task", block["kind"]).get_variant(block))]
    # The simplest task that fits makes the shortest example.
    for task in sorted(fitting, key=lambda task: (len(task.tables), len(task.columns))):
        for spec in _generate_candidate_specs(kind, task, registry):
            if is_valid_spec(spec, registry):
                return yaml.safe_dump(spec, sort_keys=False, allow_unicode=True, width=100, default_flow_style=None)
    return ""


def is_valid_spec(spec: Mapping[str, Any], registry: Registry) -> bool:
    """Return whether a spec is valid in a folder that holds every file it names."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "spec.yaml"
        file.write_text(yaml.safe_dump(dict(spec)), encoding="utf-8")
        for name in _find_relative_paths(spec):  # validation rejects input files that do not exist
            (Path(folder) / name).parent.mkdir(parents=True, exist_ok=True)
            (Path(folder) / name).touch()
        try:
            resolve_spec(file, registry=registry)
        except FactoryError:
            return False
    return True


def _find_relative_paths(value: Any) -> Iterator[str]:
    """Yield every string in a spec that looks like a relative path."""
    if isinstance(value, str) and not value.startswith(("wheel:", "http")) and "/v" not in value and value.isascii():
        yield value
    children = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    for child in children:
        yield from _find_relative_paths(child)


def _generate_candidate_specs(kind: type[Plugin], task: type[Task], registry: Registry) -> Iterator[SpecBlock]:
    """Yield candidate specs with the kind in place, for each source and student that may fit the task."""
    block, task_source = build_minimal_block(kind), choose_task_source(task, registry)
    fields = block if isinstance(block, dict) else {}
    plugin = kind(**{name: value for name, value in fields.items() if name != "kind"})
    known = (*task.columns, *task.added_columns)
    columns = [*task.columns, *(name for name in _get_names_attribute(plugin, "columns") if name not in known)]
    sources = [{"kind": "jsonl", "file": "rows.jsonl", "columns": columns}]
    if task_source is not None:
        sources.insert(0, build_minimal_block(task_source))
    if isinstance(plugin, Source):
        sources = [block, {**block, "columns": columns}]
    aliases = [alias for alias in plugin.get_required_models() if alias in ALIAS_MODELS]
    overlay: SpecBlock = _load_example_blocks().get(f"{kind.role} {kind.kind} +", {})
    # A task with text output needs a decoder; further models are tried last, as they lengthen the example.
    students = (DEFAULT_DECODER,) if task.output_type == "text" else (DEFAULT_ENCODER, DEFAULT_DECODER)
    for source, student, extra in product(sources, students, ([], ["embedder"], ["prompter"])):
        models = {"student": student, **{alias: ALIAS_MODELS[alias] for alias in [*aliases, *extra]}}
        spec = _place_plugin_block(plugin, task, block, {"models": models, "data": {"sources": [source]}})
        yield {**spec, **overlay}
        yield from _add_column_synthesizers(plugin, spec, registry)


def _add_column_synthesizers(plugin: Plugin, spec: SpecBlock, registry: Registry) -> Iterator[SpecBlock]:
    """Yield the spec once per synthesizer that produces a column the kind reads, with that synthesizer added."""
    for synthesizer in registry.list_classes("synthesizer"):
        if set(_get_names_attribute(synthesizer, "output_columns")) & set(_get_names_attribute(plugin, "columns")):
            steps = [build_minimal_block(synthesizer), *spec["data"].get("synthesize", [])]
            yield {**spec, "data": {**spec["data"], "synthesize": steps}}


def _get_names_attribute(owner: Any, attribute: str) -> tuple[str, ...]:
    names = getattr(owner, attribute, ())
    return names if isinstance(names, tuple) else ()


def _place_plugin_block(plugin: Plugin, task: type[Task], block: Any, parts: SpecBlock) -> SpecBlock:
    """Return a spec of a task with the plugin's block in the place of its role."""
    head: SpecBlock = {"apiVersion": "factory/v1", "name": "example"}
    spec = {**head, "task": block if isinstance(plugin, Task) else task.kind, **parts}
    data = parts["data"]
    if isinstance(plugin, Synthesizer | Curator):
        name = "synthesize" if isinstance(plugin, Synthesizer) else "curate"
        return {**spec, "data": {**data, name: [block]}}
    if isinstance(plugin, Objective):
        return {**spec, "objective": block if isinstance(block, dict) else {"kind": block}}
    if isinstance(plugin, Contender):
        # A gate contender that uses the trained adapter takes the place of `tuned`.
        replaced = {plugin.kind, "tuned"} if plugin.uses_artifact and plugin.in_gate else {plugin.kind}
        return {**spec, "contenders": [block, *(name for name in ("tuned", "untuned") if name not in replaced)]}
    if isinstance(plugin, Eval):
        evals = task.get_defaults().get("evaluate", []) if isinstance(plugin, Probe) else []
        return {**spec, "evaluate": [*evals, block]}
    return {**spec, "targets": [block]} if isinstance(plugin, Target) else spec


def _load_example_blocks() -> Any:
    return yaml.safe_load(find_resource("templates/docs/examples.yaml").read_text("utf-8"))


def build_minimal_block(kind: type[Plugin]) -> Any:
    """Return the block of a kind with its required fields; the kind alone if it has none."""
    fields = _load_example_blocks().get(f"{kind.role} {kind.kind}")
    if fields is None:
        schema = kind.model_json_schema()
        required, properties = schema.get("required", []), schema.get("properties", {})
        fields = {name: _guess_field_value(kind, name, properties[name]) for name in required}
    return {"kind": kind.kind, **fields} if fields or kind.role == "source" else kind.kind


def _guess_field_value(kind: type[Plugin], name: str, schema: Mapping[str, Any]) -> Any:
    if has_marker(kind, name, Input):
        return f"{name}.jsonl"
    if "enum" in schema:
        return schema["enum"][0]
    if "minimum" in schema:
        return schema["minimum"]
    return PLACEHOLDER_VALUES.get(str(schema.get("type")), "text")
