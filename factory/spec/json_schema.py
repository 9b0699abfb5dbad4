"""The JSON Schema (draft 2020-12) of a spec and of every installed plugin, for completion in editors.

It accepts every spec that `check` accepts: fields with a task default are not required, and a single block such as the
objective may omit its kind, as it may only change fields of the task's default.
"""

from __future__ import annotations

import json
from typing import Any, cast

from factory.api import Plugin, Task
from factory.registry.block_paths import BLOCK_LISTS, SINGLE_BLOCKS, STEP_LISTS
from factory.registry.registry import Registry
from factory.spec.fields import Spec
from factory.spec.layers import FULL_PROFILE
from factory.spec.training_steps import ROW_BLOCKS, ROWS, TRAIN_BLOCK

JSON_SCHEMA_DIALECT = "https://json-schema.org/draft/2020-12/schema"

Json = dict[str, Any]


def build_json_schema(registry: Registry) -> Json:
    """Return the schema of a spec file."""
    top = _prefix_schema_references(Spec.model_json_schema(), "spec")
    defined: Json = {f"spec.{name}": _drop_required_list(part) for name, part in top.pop("$defs").items()}
    for role in SINGLE_BLOCKS.values():
        parts = _build_role_definitions(role, registry.list_classes(role), partial=True)
        defined |= {name: _drop_required_list(part) for name, part in parts.items()}
    for role in BLOCK_LISTS.values():
        defined |= _build_role_definitions(role, registry.list_classes(role))
    _fill_plugin_blocks(top, defined)
    defined |= _build_step_definitions(top, defined)
    defined["profile"] = _define_profile_schema(top)
    tasks = cast("list[type[Task]]", registry.list_classes("task"))
    defaults = {name for task in tasks for name in task.get_defaults()}
    top["required"] = [name for name in top["required"] if name not in defaults]
    # A bare task kind is a string; a mapping must name its kind, as no default could.
    top["properties"]["task"]["if"] = {"type": "object"}
    top["properties"]["task"]["then"] = {"required": ["kind"]}
    return {"$schema": JSON_SCHEMA_DIALECT, **top, "$defs": dict(sorted(defined.items()))}


def _build_role_definitions(role: str, classes: list[type[Plugin]], partial: bool = False) -> Json:
    """Return the definitions of a role: the choice of its kinds, and the fields of each."""
    defined: Json = {}
    for plugin_class in classes:
        name = f"{role}.{plugin_class.kind}"
        schema = _prefix_schema_references(plugin_class.model_json_schema(), name)
        defined |= {f"{name}.{model}": part for model, part in schema.pop("$defs", {}).items()}
        description = (plugin_class.__doc__ or "").strip().partition("\n")[0]
        kind = {"const": plugin_class.kind, "description": description}
        schema["properties"] = {"kind": kind, **schema["properties"]}
        defined[name] = {**schema, "required": ["kind", *schema.get("required", [])]}
    required = {cls for cls in classes if any(field.is_required() for field in cls.model_fields.values())}
    bare = [cls.kind for cls in classes if partial or cls not in required]
    alone = [{"enum": bare, "description": "a kind alone: all its fields keep their defaults"}] if bare else []
    kinds = [{"$ref": f"#/$defs/{role}.{cls.kind}"} for cls in classes]
    return {**defined, role: {"anyOf": [*alone, *kinds]} if classes else {"not": {}}}


def _prefix_schema_references(part: Json, owner: str) -> Json:
    """Prefix the references of a schema with the owner of their definitions, as all share one `$defs`."""
    text = json.dumps(part).replace('"$ref": "#/$defs/', f'"$ref": "#/$defs/{owner}.')
    return cast(Json, json.loads(text))


def _drop_required_list(part: Json) -> Json:
    return {name: value for name, value in part.items() if name != "required"}


def _fill_plugin_blocks(top: Json, defined: Json) -> None:
    """Replace the raw blocks of `Spec` by the kinds of their role."""
    for steps, role in {**SINGLE_BLOCKS, **BLOCK_LISTS}.items():
        holder = top if len(steps) == 1 else defined["spec.Data"]
        field = holder["properties"][steps[-1]]
        block = {"$ref": f"#/$defs/{role}"}
        if steps in BLOCK_LISTS:
            field["items"] = block
        else:
            holder["properties"][steps[-1]] = {**block, "description": field["description"]}


def _build_step_definitions(top: Json, defined: Json) -> Json:
    """Let the single blocks of STEP_LISTS also be lists of steps, and return the definitions of a step: the fields of
    its kind, and its own rows and settings of training."""
    rows = {name: defined["spec.Data"]["properties"][name] for name in ROW_BLOCKS}
    own = {
        ROWS: {"type": "object", "additionalProperties": False, "properties": rows,
               "description": "rows of this step, in place of those of `data`"},
        TRAIN_BLOCK: {**top["properties"][TRAIN_BLOCK], "description": "settings of this step, over those of `train`"},
    }
    steps: Json = {}
    for (name,), role in STEP_LISTS.items():
        kinds = [key for key in defined if key.startswith(f"{role}.") and "kind" in defined[key].get("properties", {})]
        steps |= {f"step.{kind}": {**defined[kind], "properties": {**defined[kind]["properties"], **own}}
                  for kind in kinds}
        alone = [part for part in defined[role].get("anyOf", []) if "enum" in part]
        step = {"anyOf": [*alone, *({"$ref": f"#/$defs/step.{kind}"} for kind in kinds)]}
        block = top["properties"][str(name)]
        top["properties"][str(name)] = {
            "anyOf": [{"$ref": block["$ref"]}, {"type": "array", "minItems": 1, "items": step}],
            "description": f"{block['description']}, or a list of steps that train one artifact in turn",
        }
    return steps


def _define_profile_schema(top: Json) -> Json:
    """Return the definition of a profile, the same fields with none required, and refer to it in `top`."""
    profiles = top["properties"]["profiles"]
    profiles["additionalProperties"] = {"$ref": "#/$defs/profile"}
    profiles["description"] += f"; {FULL_PROFILE!r} always exists and changes nothing unless defined"
    fields = {name: dict(part) for name, part in top["properties"].items() if name not in ("profiles", "apiVersion")}
    return {
        "title": "Profile", "description": "a partial spec, chosen with --profile",
        "type": "object", "additionalProperties": False, "properties": fields,
    }
