"""Tools in OpenAI's function format: reading, validation, and similarity."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from factory_synth.text_features import extract_content_stems

UNSUPPORTED_FEATURES = ("$ref", "allOf", "not", "if", "patternProperties")
"""JSON Schema keywords from which arguments cannot be drawn."""


@dataclass(frozen=True, slots=True)
class Tool:
    """A function: its name, description, and the JSON schema of its arguments."""

    name: str
    description: str
    parameters: Mapping[str, Any]

    @property
    def properties(self) -> Mapping[str, Mapping[str, Any]]:
        """Return the schema of each argument."""
        return cast(Mapping[str, Mapping[str, Any]], self.parameters.get("properties", {}))

    @property
    def mandatory_arguments(self) -> tuple[str, ...]:
        return tuple(self.parameters.get("required", ()))

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "description": self.description, "parameters": dict(self.parameters)}

    def with_masked_names(self, name: str, arguments: Mapping[str, str]) -> Tool:
        """Return the same tool with other names for itself and its arguments."""
        properties = {arguments[old]: schema for old, schema in self.properties.items()}
        required = [arguments[old] for old in self.mandatory_arguments]
        return Tool(name, self.description, {**self.parameters, "properties": properties, "required": required})


def read_tools(path: Path, label: str) -> list[Tool]:
    """Read a JSON list of functions, each plain or as `{"type": "function", "function": {…}}`.

    Raises ValueError that names the file, the tool and the field.
    """
    try:
        items = json.loads(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"{label}: not valid JSON: {error}") from error
    if not isinstance(items, list) or not items:
        raise ValueError(f"{label}: expected a list of functions, [{{\"name\": …}}, …]")
    tools = [_parse_tool(item, f"{label}: tool {number}") for number, item in enumerate(items, 1)]
    names = [tool.name for tool in tools]
    if duplicates := [name for name in names if names.count(name) > 1]:
        raise ValueError(f"{label}: tool {duplicates[0]!r} is defined twice; give every tool its own name")
    return tools


def _parse_tool(item: Any, where: str) -> Tool:
    function = item.get("function", item) if isinstance(item, Mapping) else item
    if not isinstance(function, Mapping) or not isinstance(function.get("name"), str) or not function["name"]:
        raise ValueError(f"{where}: name: expected a text")
    where = f"{where}, {function['name']}"
    description, parameters = function.get("description"), function.get("parameters") or {}
    if not isinstance(description, str) or not description.strip():
        raise ValueError(f"{where}: description: expected a text; queries are written from it")
    properties = parameters.get("properties", {}) if isinstance(parameters, Mapping) else None
    if not isinstance(properties, Mapping) or not all(isinstance(value, Mapping) for value in properties.values()):
        raise ValueError(f"{where}: parameters: expected the JSON schema of an object")
    if unknown := sorted({*parameters.get("required", ())} - {*properties}):
        raise ValueError(f"{where}: parameters: required names {unknown[0]!r}, which is not a property")
    if unsupported := [feature for feature in UNSUPPORTED_FEATURES if feature in json.dumps(parameters)]:
        raise ValueError(f"{where}: parameters: {unsupported[0]!r} is not supported; write the schema out")
    return Tool(function["name"], " ".join(description.split()), parameters)


def rank_similar_tools(tools: Sequence[Tool]) -> dict[str, list[tuple[float, str]]]:
    """Rank the other tools for each tool by the Jaccard of the stems of name, description and argument names."""
    stems = {}
    for tool in tools:
        names = " ".join([tool.name, *tool.properties]).replace("_", " ")
        stems[tool.name] = extract_content_stems(f"{names} {tool.description}")
    rankings = {}
    for name, own in stems.items():
        others = ((len(own & other) / max(len(own | other), 1), key) for key, other in stems.items() if key != name)
        rankings[name] = sorted(((round(value, 4), key) for value, key in others), key=lambda pair: (-pair[0], pair[1]))
    return rankings
