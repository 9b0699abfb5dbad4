"""The one renderer: a template over a row's columns becomes model input, in training, answering and serving alike."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

SLOT_PATTERN = re.compile(r"\{([A-Za-z_]\w*)\}")


def list_slots(template: str) -> tuple[str, ...]:
    """The columns that a template reads, in order of appearance."""
    return tuple(dict.fromkeys(SLOT_PATTERN.findall(template)))


def render(template: str, columns: Mapping[str, Any]) -> str:
    """Fill `{column}` slots; nothing else has a meaning. Raises KeyError for a column that is not there."""
    return SLOT_PATTERN.sub(lambda match: str(columns[match.group(1)]), template)
