"""Observers: what happens in a build, told to somebody else. Each module is one, and an example of the second hook.

None does anything unless the environment names it: `FACTORY_OBSERVERS=mlflow`, or `mlflow,trackio`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

NAMED = "FACTORY_OBSERVERS"


def wanted(name: str) -> bool:
    """Whether the environment names an observer."""
    return name in os.environ.get(NAMED, "").replace(",", " ").split()


def chosen(resolved: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The values of a spec that somebody chose: all that are no default."""
    return {str(value["path"]): value["value"] for value in resolved if value["origin"] != "default"}


def flat(name: str) -> str:
    """A stage's name without brackets: `answer[tuned]` → `answer.tuned`."""
    return name.replace("[", ".").replace("]", "")
