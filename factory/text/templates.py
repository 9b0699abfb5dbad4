"""The only template renderer: it turns columns into model input for training, contenders, bundle and serving."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

SLOT_PATTERN = re.compile(r"\{([A-Za-z_]\w*)\}")


def list_slots(template: str) -> tuple[str, ...]:
    """Return the columns that a template reads, in order of appearance."""
    return tuple(dict.fromkeys(SLOT_PATTERN.findall(template)))


def render(template: str, columns: Mapping[str, Any]) -> str:
    """Replace each `{column}` slot by the column's value; there is no other syntax. Raises KeyError if missing."""
    return SLOT_PATTERN.sub(lambda match: str(columns[match.group(1)]), template)
