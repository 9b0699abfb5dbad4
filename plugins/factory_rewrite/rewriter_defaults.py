"""Default spec blocks and profiles of the query rewriting task."""

from __future__ import annotations

from typing import Any

SPEC: dict[str, Any] = {
    "objective": {"kind": "completion", "max_new_tokens": 64},
    "data": {"curate": [{"kind": "exact", "columns": ["conversation"]}]},
    "contenders": ["tuned", "untuned", "prompted", "copy", "concatenate"],
    "evaluate": ["rewriting"],
    "targets": ["peft"],
    "train": {"epochs": 2, "batch_size": 16, "learning_rate": 1e-3},
}

PROFILES: dict[str, dict[str, Any]] = {
    "smoke": {
        "data": {"limit": 120, "split": {"test": 40, "validation": 16}},
        "train": {"epochs": 1},
        "contenders": [
            "tuned", {"kind": "prompted", "shots": [0, 2], "selection": ["fixed"], "validation_rows": 8}, "copy"
        ],
        "gate": {"resamples": 2000},
    },
}
"""`smoke` only checks that a spec runs through; its verdict is meaningless."""
