"""What a query rewriter's spec says when it says nothing, and its profiles."""

from __future__ import annotations

from typing import Any

SPEC: dict[str, Any] = {
    "objective": {"kind": "completion", "max_new_tokens": 64},
    "data": {"curate": [{"kind": "exact", "on": ["conversation"]}]},
    "contenders": ["tuned", "untuned", "prompted", "copy", "concatenate"],
    "evaluate": ["rewriting"],
    "targets": ["peft"],
    "train": {"epochs": 2, "batch_size": 16, "learning_rate": 1e-3},
}

PROFILES: dict[str, dict[str, Any]] = {
    "smoke": {
        "data": {"limit": 120, "split": {"test": 40, "validation": 16}},
        "train": {"epochs": 1},
        "contenders": ["tuned", {"kind": "prompted", "shots": [0, 2], "selection": ["fixed"], "tries": 8}, "copy"],
        "gate": {"resamples": 2000},
    },
}
"""`smoke` shows that a spec runs to its end; its verdict means nothing."""
