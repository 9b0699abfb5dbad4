"""Scalars of the YAML 1.2 core schema: unlike in YAML 1.1, `no`, `1:30` and `2024-01-01` are strings."""

from __future__ import annotations

import math
import re
import sys
from typing import Any

from factory.yaml.nodes import format_value

NULL = re.compile(r"|~|null|Null|NULL")
BOOL = re.compile(r"true|True|TRUE|false|False|FALSE")
INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


def resolve_scalar(text: str, tag: str) -> Any:
    """Convert a scalar to its Python value; `tag` is its explicit core type, or "". Raises ValueError for a value of
    another type, a number that is not finite, or one that is too large.
    """
    resolved, value = _resolve_untagged(text) if tag != "str" else ("str", text)
    if tag not in ("", resolved):
        raise ValueError(f"{format_value(text)} is not a !!{tag}; remove the tag")
    return value


def _resolve_untagged(text: str) -> tuple[str, Any]:
    if NULL.fullmatch(text):
        return "null", None
    if BOOL.fullmatch(text):
        return "bool", text.lower() == "true"
    if len(text) > 40 or not (INT.fullmatch(text) or FLOAT.fullmatch(text) or NOT_FINITE.fullmatch(text)):
        return "str", text
    if NOT_FINITE.fullmatch(text):
        raise ValueError(f"{text} is not supported; use a finite number")
    whole = INT.fullmatch(text)
    number = (int(text, 0) if text[:2] in ("0o", "0x") else int(text)) if whole else float(text)
    if abs(number) > sys.maxsize if whole else math.isinf(number):
        raise ValueError(f"{text} is too large a number; quote it if it is text")
    return "int" if whole else "float", number
