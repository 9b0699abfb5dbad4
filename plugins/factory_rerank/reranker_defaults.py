"""Default spec of rerankers, and its profiles."""

from __future__ import annotations

from typing import Any

RERANKER_DEFAULTS: dict[str, Any] = {
    "objective": "late-interaction",
    "data": {
        "synthesize": [{"kind": "hard-negatives", "count": 3}],
        "curate": [{"kind": "exact", "text_columns": ["query"]}],
    },
    "contenders": ["tuned", "untuned", "bm25", "hybrid", "ltr"],
    "evaluate": ["ranking"],
    "targets": ["peft"],
    "train": {"learning_rate": 1e-3},
}

RERANKER_PROFILES: dict[str, dict[str, Any]] = {
    "smoke": {
        "data": {"limit": 160, "split": {"test": 100, "validation": 20}},
        "train": {"epochs": 1},
        "gate": {"resamples": 2000},
    },
}
"""`smoke` checks that a spec runs from start to end; its verdict is meaningless."""
