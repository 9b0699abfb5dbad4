"""What constrains a local model to JSON of a schema: every beginning of an answer must be one of a valid answer.

A schema without recursion is a regular language, so that a regular expression with partial matching is all it takes
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

SPACE = "[ \n]?"
CHARACTER = r'(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))'
INTEGER = r"-?(?:0|[1-9][0-9]{0,15})"
SIMPLE = {
    "integer": INTEGER, "number": rf"{INTEGER}(?:\.[0-9]{{1,8}})?(?:[eE][+-]?[0-9]{{1,3}})?",
    "boolean": "(?:true|false)", "null": "null",
}
DEEPEST = 8
"""Levels of a schema; a deeper one, or one that contains itself, is not guided."""


class UnguidedError(ValueError):
    """The schema says what no expression here can."""


@cache
def guide(model: type[BaseModel]) -> Guide | None:
    """The guide of a schema; None when it can not be one, and the answer is only checked afterwards."""
    import regex

    schema = model.model_json_schema()
    try:
        pattern = regex.compile(_value(schema, schema.get("$defs", {}), 0))
    except UnguidedError:
        return None

    def may(text: str, ends: bool) -> bool:
        found = pattern.fullmatch(text, partial=not ends)
        return found is not None

    return may


def _value(part: Mapping[str, Any], defined: Mapping[str, Any], depth: int) -> str:
    """The expression of one value."""
    if depth > DEEPEST:
        raise UnguidedError
    if "$ref" in part:
        return _value(defined[part["$ref"].rpartition("/")[2]], defined, depth + 1)
    if "enum" in part or "const" in part:
        return _either([_literal(value) for value in part.get("enum", [part.get("const")])])
    for name in ("anyOf", "oneOf"):
        if name in part:
            return _either([_value(option, defined, depth + 1) for option in part[name]])
    kind = part.get("type")
    if kind == "string":
        return _string(part)
    if kind == "array":
        return _array(part, defined, depth)
    if kind == "object" and part.get("properties"):
        return _object(part, defined, depth)
    if kind in SIMPLE:
        return SIMPLE[kind]
    raise UnguidedError


def _string(part: Mapping[str, Any]) -> str:
    if "pattern" in part or "format" in part:
        raise UnguidedError
    return f'"{CHARACTER}{{{part.get("minLength", 0)},{part.get("maxLength", "")}}}"'


def _array(part: Mapping[str, Any], defined: Mapping[str, Any], depth: int) -> str:
    if not isinstance(part.get("items"), Mapping):
        raise UnguidedError
    item = _value(part["items"], defined, depth + 1)
    least, most = int(part.get("minItems", 0)), part.get("maxItems")
    if most == 0:
        return rf"\[{SPACE}\]"
    more = rf"(?:,{SPACE}{item}){{{max(least - 1, 0)},{'' if most is None else most - 1}}}"
    inner = rf"{item}{more}"
    return rf"\[{SPACE}{inner if least else f'(?:{inner})?'}{SPACE}\]"


def _object(part: Mapping[str, Any], defined: Mapping[str, Any], depth: int) -> str:
    """All fields, in the order of the schema: what a model may leave out it may as well say."""
    fields = [
        rf"{_literal(name)}{SPACE}:{SPACE}{_value(value, defined, depth + 1)}"
        for name, value in part["properties"].items()
    ]
    return rf"\{{{SPACE}{f'{SPACE},{SPACE}'.join(fields)}{SPACE}\}}"


def _either(options: list[str]) -> str:
    return f"(?:{'|'.join(options)})"


def _literal(value: Any) -> str:
    import regex

    return str(regex.escape(json.dumps(value, ensure_ascii=False), special_only=True))
