"""Default spec blocks and profiles of the text-to-SQL task."""

from __future__ import annotations

from typing import Any

SYSTEM = "Answer with one SQLite query."
PROMPT = "{schema}\n{question}"
TARGET = "{sql}"
NEW_TOKENS = 128

SPEC: dict[str, Any] = {
    "objective": {"kind": "completion", "max_new_tokens": NEW_TOKENS},
    "data": {"curate": [{"kind": "exact", "columns": ["input"]}]},
    "contenders": ["tuned", "tuned-unguarded", "prompted", "prompted-unguarded"],
    "evaluate": ["execution"],
    "targets": ["peft"],
    "train": {"epochs": 1, "batch_size": 16, "learning_rate": 1e-3},
}

PROFILES: dict[str, dict[str, Any]] = {
    "smoke": {
        "data": {"limit": 96, "split": {"test": 24, "validation": 12}},
        "contenders": [
            "tuned", "tuned-unguarded",
            {"kind": "prompted", "shots": [0, 2], "selection": ["fixed"], "validation_rows": 6},
        ],
        "gate": {"resamples": 2000},
    },
}
"""`smoke` only checks that a spec runs through; its verdict is meaningless."""
