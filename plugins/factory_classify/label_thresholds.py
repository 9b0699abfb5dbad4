"""The thresholds of labels in an artifact or bundle, beside its labels."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from factory.api.label_sets import NUMBER_DIGITS
from factory_classify.classifier_files import LABEL_CONFIG_PATH


def write_threshold_config(folder: Path, thresholds: Iterable[float]) -> None:
    """Add the thresholds to the file of labels, in the order of the head's outputs."""
    file = folder / LABEL_CONFIG_PATH
    rounded = [round(float(value), NUMBER_DIGITS) for value in thresholds]
    config = {**json.loads(file.read_text()), "thresholds": rounded}
    file.write_text(json.dumps(config, sort_keys=True, indent=2, ensure_ascii=False) + "\n")


def read_label_thresholds(folder: Path) -> list[float]:
    """Return the probability from which each label is given, in the order of the head's outputs."""
    thresholds: list[float] = json.loads((folder / LABEL_CONFIG_PATH).read_text())["thresholds"]
    return thresholds
