"""Constrains a local model to the JSON of a schema: every prefix of an answer must be a prefix of a valid answer.

A schema without recursion is a regular language, so a regular expression with partial matching is enough
(Willard and Louf 2023, "Efficient Guided Generation for Large Language Models").
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

if TYPE_CHECKING:
    from factory.api import Guide

WHITESPACE_REGEX = "[ \n]?"
CHARACTER_REGEX = r'(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))'
INTEGER_REGEX = r"-?(?:0|[1-9][0-9]{0,15})"
PRIMITIVE_REGEXES = {
    "integer": INTEGER_REGEX, "number": rf"{INTEGER_REGEX}(?:\.[0-9]{{1,8}})?(?:[eE][+-]?[0-9]{{1,3}})?",
    "boolean": "(?:true|false)", "null": "null",
}
MAX_SCHEMA_DEPTH = 8
"""Nesting levels of a schema; deeper or recursive schemas are not constrained."""


class UnsupportedSchemaError(ValueError):
    """The schema has a feature that these regular expressions do not cover."""


@cache
def compile_schema_guide(model: type[BaseModel]) -> Guide | None:
    """Return the guide of a schema; None for an unsupported one, whose answers are only validated afterwards."""
    import regex

    schema = model.model_json_schema()
    try:
        pattern = regex.compile(_build_value_regex(schema, schema.get("$defs", {}), 0))
    except UnsupportedSchemaError:
        return None

    def is_allowed(text: str, ends: bool) -> bool:
        return pattern.fullmatch(text, partial=not ends) is not None

    return is_allowed


def _build_value_regex(part: Mapping[str, Any], defined: Mapping[str, Any], depth: int) -> str:
    """Return the regular expression of one value."""
    if depth > MAX_SCHEMA_DEPTH:
        raise UnsupportedSchemaError
    if "$ref" in part:
        return _build_value_regex(defined[part["$ref"].rpartition("/")[2]], defined, depth + 1)
    if "enum" in part or "const" in part:
        return f"(?:{'|'.join(map(_escape_json_literal, part.get('enum', [part.get('const')])))})"
    for name in ("anyOf", "oneOf"):
        if name in part:
            return f"(?:{'|'.join(_build_value_regex(option, defined, depth + 1) for option in part[name])})"
    kind = part.get("type")
    if kind == "string" and not part.keys() & {"pattern", "format"}:
        return f'"{CHARACTER_REGEX}{{{part.get("minLength", 0)},{part.get("maxLength", "")}}}"'
    if kind == "array":
        return _build_array_regex(part, defined, depth)
    if kind == "object" and part.get("properties"):
        return _build_object_regex(part, defined, depth)
    if kind in PRIMITIVE_REGEXES:
        return PRIMITIVE_REGEXES[kind]
    raise UnsupportedSchemaError


def _build_array_regex(part: Mapping[str, Any], defined: Mapping[str, Any], depth: int) -> str:
    if not isinstance(part.get("items"), Mapping):
        raise UnsupportedSchemaError
    item = _build_value_regex(part["items"], defined, depth + 1)
    minimum, maximum = int(part.get("minItems", 0)), part.get("maxItems")
    if maximum == 0:
        return rf"\[{WHITESPACE_REGEX}\]"
    more = rf"(?:,{WHITESPACE_REGEX}{item}){{{max(minimum - 1, 0)},{'' if maximum is None else maximum - 1}}}"
    inner = rf"{item}{more}"
    return rf"\[{WHITESPACE_REGEX}{inner if minimum else f'(?:{inner})?'}{WHITESPACE_REGEX}\]"


def _build_object_regex(part: Mapping[str, Any], defined: Mapping[str, Any], depth: int) -> str:
    """Return the expression of an object with all its fields, optional ones included, in the order of the schema."""
    colon, comma = (f"{WHITESPACE_REGEX}{mark}{WHITESPACE_REGEX}" for mark in ":,")
    fields = [
        f"{_escape_json_literal(name)}{colon}{_build_value_regex(value, defined, depth + 1)}"
        for name, value in part["properties"].items()
    ]
    return rf"\{{{WHITESPACE_REGEX}{comma.join(fields)}{WHITESPACE_REGEX}\}}"


def _escape_json_literal(value: Any) -> str:
    import regex

    return str(regex.escape(json.dumps(value, ensure_ascii=False), special_only=True))
