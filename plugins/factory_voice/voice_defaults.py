"""Default spec blocks and profiles of the brand voice task."""

from __future__ import annotations

from typing import Any

SPEC: dict[str, Any] = {
    "objective": "completion",
    "data": {"curate": [{"kind": "exact", "columns": ["question"]}]},
    "contenders": ["tuned", "untuned", "neutral", "prompted"],
    "evaluate": ["voice"],
    "targets": ["peft"],
    "train": {"epochs": 4, "batch_size": 8, "learning_rate": 1e-3},
}

PROFILES: dict[str, dict[str, Any]] = {
    "smoke": {
        "data": {"limit": 48, "split": {"test": 24, "validation": 12}},
        "train": {"epochs": 1},
        "gate": {"resamples": 2000},
    },
}
"""`smoke` only checks that a spec runs through; its verdict is meaningless."""
