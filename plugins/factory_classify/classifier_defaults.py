"""Default spec of classifiers, and its profiles."""

from __future__ import annotations

from typing import Any

CLASSIFIER_DEFAULTS: dict[str, Any] = {
    "objective": "classification",
    "data": {"curate": [{"kind": "exact", "columns": ["text", "label"]}], "split": {"stratify": "label"}},
    "contenders": ["tuned", "centroid", "knn", "tfidf", "majority"],
    "evaluate": ["classification"],
    "targets": ["peft"],
    "train": {"epochs": 4, "batch_size": 32, "learning_rate": 1e-3},
}

CLASSIFIER_PROFILES: dict[str, dict[str, Any]] = {
    "smoke": {
        "data": {"limit": 200, "split": {"test": 100, "validation": 40}},
        "train": {"epochs": 1},
        "gate": {"resamples": 2000},
    },
}
"""`smoke` checks that a spec runs from start to end; its verdict is meaningless."""
