"""What the journal of a build says of the contender whose export its bundle delivers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from factory.errors import InputError


def find_deployable_part(plan: Iterable[Mapping[str, Any]], contender: str) -> dict[str, Any]:
    """Return `deployable` as in the config of the stage that bundled it, with this contender alone; {} if it is empty,
    as for what was trained.

    Raises InputError if the plan does not have it.
    """
    if not contender:
        return {}
    config: Mapping[str, Any] = next((stage.get("config", {}) for stage in plan if stage.get("name") == "bundle"), {})
    known = config.get("deployable")
    if not isinstance(known, Mapping) or contender not in known:
        raise InputError(f"the journal of its build does not say how {contender!r} answers; build it again")
    return {"deployable": {contender: known[contender]}}
