"""Model config with the labels of a classifier: PEFT's config has no field for them, transformers' has."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

LABEL_CONFIG_PATH = "labels/config.json"
"""In its own folder: with a config beside an adapter, transformers would load the folder as a full model."""


def write_label_config(base: Path, labels: Sequence[str], folder: Path, abstain_below: float | None = None) -> None:
    """Write the base's config with these labels, in their order, and the confidence below which to abstain."""
    config: dict[str, Any] = json.loads((base / "config.json").read_text())
    config.pop("_name_or_path", None)
    config["id2label"] = {str(place): label for place, label in enumerate(labels)}
    config["label2id"] = {label: place for place, label in enumerate(labels)}
    config["problem_type"] = "single_label_classification"
    if abstain_below is not None:
        config["abstain_below"] = abstain_below
    (folder / LABEL_CONFIG_PATH).parent.mkdir(exist_ok=True)
    (folder / LABEL_CONFIG_PATH).write_text(json.dumps(config, sort_keys=True, indent=2, ensure_ascii=False) + "\n")


def read_bundle_labels(folder: Path) -> tuple[str, ...]:
    """Return the labels of an artifact or bundle, in the order of the head's outputs."""
    id2label: dict[str, str] = json.loads((folder / LABEL_CONFIG_PATH).read_text())["id2label"]
    return tuple(id2label[str(place)] for place in range(len(id2label)))


def load_classifier(bundle: Path) -> tuple[Any, Any]:
    """Load model and tokenizer, as documented in the bundle's README."""
    from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer

    config = AutoConfig.from_pretrained((bundle / LABEL_CONFIG_PATH).parent)
    model = AutoModelForSequenceClassification.from_pretrained(bundle, config=config)
    return model.eval(), AutoTokenizer.from_pretrained(bundle)
