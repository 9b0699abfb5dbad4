"""The settings that a build chose for its rows, in the output of its stage `settings`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

SETTINGS, SETTINGS_FILE = "settings", "settings.json"
"""The stage that chooses, and the file that it writes."""


def read_chosen_settings(output: Path) -> dict[str, Any]:
    """Return what a stage chose: values by block and name (`chosen`), reasons by field, and the fields whose value is
    less than the rows ask for (`limited`)."""
    settings: dict[str, Any] = json.loads((output / SETTINGS_FILE).read_bytes())
    return settings


def apply_chosen_settings(config: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the config of a stage with the chosen values in its blocks, and in the spec that a bundle describes."""
    merged = dict(config)
    for block, values in settings["chosen"].items():
        if isinstance(merged.get(block), Mapping):
            merged[block] = _set_values(merged[block], values)
    if isinstance(spec := merged.get("spec"), Mapping):
        merged["spec"] = apply_chosen_settings(spec, settings)
    return merged


def resolve_config(config: Mapping[str, Any], folders: Mapping[str, Path]) -> Mapping[str, Any]:
    """Return the config of a stage that reads these outputs, with what was chosen in one of them, if it was."""
    return apply_chosen_settings(config, read_chosen_settings(folders[SETTINGS])) if SETTINGS in folders else config


def _set_values(block: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a block, or the identity of a plugin, with these values where it says that they are chosen."""
    if "fields" in block:
        return {**block, "fields": _set_values(block["fields"], values)}
    return {**block, **{name: value for name, value in values.items() if block.get(name) == "auto"}}
