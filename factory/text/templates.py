"""The only template renderer: it turns columns into model input for training, contenders, bundle and serving."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

SLOT_PATTERN = re.compile(r"\{([A-Za-z_]\w*)\}")

MAX_WHOLE_NUMBER = 1e21
"""Numbers from here on are written with an exponent."""


def list_slots(template: str) -> tuple[str, ...]:
    """Return the columns that a template reads, in order of appearance."""
    return tuple(dict.fromkeys(SLOT_PATTERN.findall(template)))


def render(template: str, columns: Mapping[str, Any]) -> str:
    """Replace each `{column}` slot by the column's value; there is no other syntax. Raises KeyError if missing."""
    return SLOT_PATTERN.sub(lambda match: write_as_text(columns[match.group(1)]), template)


def write_as_text(value: Any) -> str:
    """Return text as it is, and any other value as JSON writes it: `true`, `["a"]`, and 1 for both 1 and 1.0.

    The spelling of numbers is that of RFC 8785, in which a whole number has no fraction.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer() and abs(value) < MAX_WHOLE_NUMBER:
        value = int(value)
    return json.dumps(value, ensure_ascii=False, default=str)
