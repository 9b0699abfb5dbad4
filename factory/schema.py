"""The JSON Schema (draft 2020-12) of a spec, the fields of every installed plugin included, for editors to complete by.

It refuses nothing that `check` accepts. What a task's defaults may bring is therefore not required here, and a single
block (the objective) may leave out its kind, for it may only change fields of the task's own.
"""

from __future__ import annotations

import json
from typing import Any, cast

from factory.api import Plugin, Task
from factory.resolve import FULL
from factory.resolve.blocks import LISTS, SINGLE, Kinds
from factory.spec import Spec

DIALECT = "https://json-schema.org/draft/2020-12/schema"

Json = dict[str, Any]


def schema(registry: Kinds) -> Json:
    """The schema of `specs/*.yaml`."""
    top: Json = Spec.model_json_schema()
    defined: Json = {f"spec.{name}": _loose(_moved(part, "spec")) for name, part in top.pop("$defs").items()}
    top = _moved(top, "spec")
    for role in SINGLE.values():
        defined |= {name: _loose(part) for name, part in _role(role, registry.classes(role), partial=True).items()}
    for role in LISTS.values():
        defined |= _role(role, registry.classes(role))
    _fill(top, defined)
    defined["profile"] = _profile(top)
    top["required"] = _required(top["required"], registry)
    top["properties"]["task"]["if"] = {"type": "object"}
    top["properties"]["task"]["then"] = {"required": ["kind"]}
    return {"$schema": DIALECT, **top, "$defs": dict(sorted(defined.items()))}


def _role(role: str, classes: list[type[Plugin]], partial: bool = False) -> Json:
    """The definitions of one role: any of its kinds, and each kind's own fields."""
    defined: Json = {}
    for found in classes:
        name = f"{role}.{found.kind}"
        made = found.model_json_schema()
        defined |= {f"{name}.{inner}": _moved(part, name) for inner, part in made.pop("$defs", {}).items()}
        fields = _moved(made, name)
        kind = {"const": found.kind, "description": (found.__doc__ or "").strip().partition("\n")[0]}
        fields["properties"] = {"kind": kind, **fields["properties"]}
        fields["required"] = ["kind", *fields.get("required", [])]
        defined[name] = fields
    bare = [found.kind for found in classes if partial or not _needs_fields(found)]
    alone = [{"enum": bare, "description": "a kind alone: all its fields keep their defaults"}] if bare else []
    kinds = [{"$ref": f"#/$defs/{role}.{found.kind}"} for found in classes]
    return {**defined, role: {"anyOf": [*alone, *kinds]} if classes else {"not": {}}}


def _needs_fields(found: type[Plugin]) -> bool:
    return any(field.is_required() for field in found.model_fields.values())


def _moved(part: Json, owner: str) -> Json:
    """A schema whose references lead to definitions that carry their owner's name."""
    text = json.dumps(part).replace('"$ref": "#/$defs/', f'"$ref": "#/$defs/{owner}.')
    return cast(Json, json.loads(text))


def _loose(part: Json) -> Json:
    return {name: value for name, value in part.items() if name != "required"}


def _fill(top: Json, defined: Json) -> None:
    """Put the kinds of each role where `Spec` left a raw block."""
    for steps, role in {**SINGLE, **LISTS}.items():
        holder = top if len(steps) == 1 else defined["spec.Data"]
        field = holder["properties"][steps[-1]]
        block = {"$ref": f"#/$defs/{role}"}
        if steps in LISTS:
            field["items"] = block
        else:
            holder["properties"][steps[-1]] = {**block, "description": field["description"]}


def _profile(top: Json) -> Json:
    """The definition of a profile: the same fields, none of them required. Makes the profiles of `top` be such."""
    profiles = top["properties"]["profiles"]
    profiles["additionalProperties"] = {"$ref": "#/$defs/profile"}
    profiles["description"] += f"; {FULL!r} needs no words: it changes nothing"
    fields = {name: dict(part) for name, part in top["properties"].items() if name not in ("profiles", "apiVersion")}
    return {
        "title": "Profile", "description": "a partial spec, chosen by --profile",
        "type": "object", "additionalProperties": False, "properties": fields,
    }


def _required(fields: list[str], registry: Kinds) -> list[str]:
    brought = {name for task in registry.classes("task") for name in cast("type[Task]", task).get_defaults()}
    return [name for name in fields if name not in brought]
