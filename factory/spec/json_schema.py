"""The JSON Schema (draft 2020-12) of a spec, the fields of every installed plugin included, for editors to complete by.

It refuses nothing that `check` accepts. What a task's defaults may bring is therefore not required here, and a single
block (the objective) may leave out its kind, for it may only change fields of the task's own.
"""

from __future__ import annotations

import json
from typing import Any, cast

from factory.api import Plugin, Task
from factory.registry.block_paths import BLOCK_LISTS, SINGLE_BLOCKS
from factory.spec.blocks import PluginLookup
from factory.spec.fields import Spec
from factory.spec.layers import FULL_PROFILE

JSON_SCHEMA_DIALECT = "https://json-schema.org/draft/2020-12/schema"

Json = dict[str, Any]


def build_json_schema(registry: PluginLookup) -> Json:
    """The schema of `specs/*.yaml`."""
    top: Json = Spec.model_json_schema()
    defined: Json = {f"spec.{name}": _drop_required_list(_prefix_schema_references(part, "spec")) for name, part in top.pop("$defs").items()}
    top = _prefix_schema_references(top, "spec")
    for role in SINGLE_BLOCKS.values():
        defined |= {name: _drop_required_list(part) for name, part in _build_role_definitions(role, registry.list_classes(role), partial=True).items()}
    for role in BLOCK_LISTS.values():
        defined |= _build_role_definitions(role, registry.list_classes(role))
    _fill_plugin_blocks(top, defined)
    defined["profile"] = _define_profile_schema(top)
    top["required"] = _list_required_fields(top["required"], registry)
    top["properties"]["task"]["if"] = {"type": "object"}
    top["properties"]["task"]["then"] = {"required": ["kind"]}
    return {"$schema": JSON_SCHEMA_DIALECT, **top, "$defs": dict(sorted(defined.items()))}


def _build_role_definitions(role: str, classes: list[type[Plugin]], partial: bool = False) -> Json:
    """The definitions of one role: any of its kinds, and each kind's own fields."""
    defined: Json = {}
    for found in classes:
        name = f"{role}.{found.kind}"
        made = found.model_json_schema()
        defined |= {f"{name}.{inner}": _prefix_schema_references(part, name) for inner, part in made.pop("$defs", {}).items()}
        fields = _prefix_schema_references(made, name)
        kind = {"const": found.kind, "description": (found.__doc__ or "").strip().partition("\n")[0]}
        fields["properties"] = {"kind": kind, **fields["properties"]}
        fields["required"] = ["kind", *fields.get("required", [])]
        defined[name] = fields
    bare = [found.kind for found in classes if partial or not _has_required_fields(found)]
    alone = [{"enum": bare, "description": "a kind alone: all its fields keep their defaults"}] if bare else []
    kinds = [{"$ref": f"#/$defs/{role}.{found.kind}"} for found in classes]
    return {**defined, role: {"anyOf": [*alone, *kinds]} if classes else {"not": {}}}


def _has_required_fields(found: type[Plugin]) -> bool:
    return any(field.is_required() for field in found.model_fields.values())


def _prefix_schema_references(part: Json, owner: str) -> Json:
    """A schema whose references lead to definitions that carry their owner's name."""
    text = json.dumps(part).replace('"$ref": "#/$defs/', f'"$ref": "#/$defs/{owner}.')
    return cast(Json, json.loads(text))


def _drop_required_list(part: Json) -> Json:
    return {name: value for name, value in part.items() if name != "required"}


def _fill_plugin_blocks(top: Json, defined: Json) -> None:
    """Put the kinds of each role where `Spec` left a raw block."""
    for steps, role in {**SINGLE_BLOCKS, **BLOCK_LISTS}.items():
        holder = top if len(steps) == 1 else defined["spec.Data"]
        field = holder["properties"][steps[-1]]
        block = {"$ref": f"#/$defs/{role}"}
        if steps in BLOCK_LISTS:
            field["items"] = block
        else:
            holder["properties"][steps[-1]] = {**block, "description": field["description"]}


def _define_profile_schema(top: Json) -> Json:
    """The definition of a profile: the same fields, none of them required. Makes the profiles of `top` be such."""
    profiles = top["properties"]["profiles"]
    profiles["additionalProperties"] = {"$ref": "#/$defs/profile"}
    profiles["description"] += f"; {FULL_PROFILE!r} needs no words: it changes nothing"
    fields = {name: dict(part) for name, part in top["properties"].items() if name not in ("profiles", "apiVersion")}
    return {
        "title": "Profile", "description": "a partial spec, chosen by --profile",
        "type": "object", "additionalProperties": False, "properties": fields,
    }


def _list_required_fields(fields: list[str], registry: PluginLookup) -> list[str]:
    brought = {name for task in registry.list_classes("task") for name in cast("type[Task]", task).get_defaults()}
    return [name for name in fields if name not in brought]
