"""Observers: what happens in a build, told to somebody else. Each module is one, and an example of the second hook.

None does anything unless the environment names it: `FACTORY_OBSERVERS=mlflow`, or `mlflow,trackio`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

OBSERVERS_VARIABLE = "FACTORY_OBSERVERS"


def is_observer_enabled(name: str) -> bool:
    """Whether the environment names an observer."""
    return name in os.environ.get(OBSERVERS_VARIABLE, "").replace(",", " ").split()


def select_non_default_values(resolved: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The values of a spec that somebody chose: all that are no default."""
    return {str(value["path"]): value["value"] for value in resolved if value["origin"] != "default"}


def flatten_stage_name(name: str) -> str:
    """A stage's name without brackets: `answer[tuned]` → `answer.tuned`."""
    return name.replace("[", ".").replace("]", "")
