"""Tools as OpenAI describes functions: read from a file, checked, and how near two of them are to each other."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from factory_synth.text_features import extract_content_stems

UNSUPPORTED_FEATURES = ("$ref", "allOf", "not", "if", "patternProperties")
"""What a schema may use in general, and arguments can not be drawn from here."""


@dataclass(frozen=True, slots=True)
class Tool:
    """A function: its name, what it does, and the schema of its arguments."""

    name: str
    description: str
    parameters: Mapping[str, Any]

    @property
    def properties(self) -> Mapping[str, Mapping[str, Any]]:
        """Argument → its schema."""
        found: Mapping[str, Mapping[str, Any]] = self.parameters.get("properties", {})
        return found

    @property
    def mandatory_arguments(self) -> tuple[str, ...]:
        return tuple(self.parameters.get("required", ()))

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "description": self.description, "parameters": dict(self.parameters)}

    def with_masked_names(self, name: str, arguments: Mapping[str, str]) -> Tool:
        """The same tool under another name, with other names for its arguments."""
        properties = {arguments[old]: schema for old, schema in self.properties.items()}
        required = [arguments[old] for old in self.mandatory_arguments]
        return Tool(name, self.description, {**self.parameters, "properties": properties, "required": required})


def read_tools(path: Path, shown: str) -> list[Tool]:
    """The tools of a JSON file: a list of functions, each alone or as `{"type": "function", "function": {…}}`.

    Raises ValueError that names the tool and the field that is wrong.
    """
    try:
        listed = json.loads(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"{shown}: not JSON: {error}") from error
    if not isinstance(listed, list) or not listed:
        raise ValueError(f"{shown}: a list of functions is wanted, [{{\"name\": …}}, …]")
    tools = [_parse_tool(each, f"{shown}: tool {place}") for place, each in enumerate(listed, 1)]
    names = [tool.name for tool in tools]
    if twice := [name for name in names if names.count(name) > 1]:
        raise ValueError(f"{shown}: {twice[0]!r} is there twice; tools are told apart by name")
    return tools


def _parse_tool(given: Any, where: str) -> Tool:
    function = given.get("function", given) if isinstance(given, Mapping) else given
    if not isinstance(function, Mapping) or not isinstance(function.get("name"), str) or not function["name"]:
        raise ValueError(f"{where}: name: text is wanted")
    where = f"{where}, {function['name']}"
    description, parameters = function.get("description"), function.get("parameters") or {}
    if not isinstance(description, str) or not description.strip():
        raise ValueError(f"{where}: description: text is wanted; queries are written from it")
    properties = parameters.get("properties", {}) if isinstance(parameters, Mapping) else None
    if not isinstance(properties, Mapping) or not all(isinstance(each, Mapping) for each in properties.values()):
        raise ValueError(f"{where}: parameters: a JSON schema of an object is wanted")
    if unknown := sorted({*parameters.get("required", ())} - {*properties}):
        raise ValueError(f"{where}: parameters: required names {unknown[0]!r}, which is no property")
    if used := [feature for feature in UNSUPPORTED_FEATURES if feature in json.dumps(parameters)]:
        raise ValueError(f"{where}: parameters: {used[0]!r} is not understood here; write the schema out")
    return Tool(function["name"], " ".join(description.split()), parameters)


def rank_similar_tools(tools: Sequence[Tool]) -> dict[str, list[tuple[float, str]]]:
    """For each tool the others, the nearest first: Jaccard of the content words of name, description and arguments."""
    bags = {tool.name: _collect_tool_stems(tool) for tool in tools}
    return {
        name: sorted(
            ((round(len(bag & other) / max(len(bag | other), 1), 4), theirs)
             for theirs, other in bags.items() if theirs != name),
            key=lambda pair: (-pair[0], pair[1]),
        )
        for name, bag in bags.items()
    }


def _collect_tool_stems(tool: Tool) -> frozenset[str]:
    return extract_content_stems(f"{tool.name.replace('_', ' ')} {tool.description} {' '.join(tool.properties).replace('_', ' ')}")
