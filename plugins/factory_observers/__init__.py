"""Observers: each module forwards the events of a build to an experiment tracker, by the second hook.

An observer is only active if the environment names it: `FACTORY_OBSERVERS=mlflow`, or `mlflow,trackio`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any


def is_observer_enabled(name: str) -> bool:
    """Return whether the environment names an observer."""
    return name in os.environ.get("FACTORY_OBSERVERS", "").replace(",", " ").split()


def select_non_default_values(resolved: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return path → value for the values of a spec that are not defaults."""
    return {str(value["path"]): value["value"] for value in resolved if value["origin"] != "default"}


def flatten_name(name: str) -> str:
    """Return the name of a stage or field without brackets: `answer[tuned]` → `answer.tuned`."""
    return name.replace("[", ".").replace("]", "")
