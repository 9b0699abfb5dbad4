"""How many tokens a base reads at once, and what a token takes in training, from its configuration alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from factory.errors import READ_ERRORS
from factory.models.position_limit import read_position_limit

ACTIVATIONS_PER_WIDTH = 34
"""Numbers that a layer keeps for each token and unit of width in training (Korthikanti et al. 2022, section 4.1, with
attention by blocks). SmolLM2 took 2.1 MB a token in fp32, of 2.4 by this count."""
NUMBER_BYTES = 4
DEFAULT_LAYERS, DEFAULT_WIDTH = 24, 1024
"""Where a configuration does not say."""


def read_context_length(model: Path) -> int:
    """Return the longest text that a base was made for, in tokens; 0 if it does not say."""
    limit = read_position_limit(model)
    positions = read_config(model).get("max_position_embeddings")
    return limit or (positions if isinstance(positions, int) else 0)


def read_token_bytes(model: Path) -> float:
    """Return the bytes that training keeps for each token of a batch."""
    config = read_config(model)
    layers, width = config.get("num_hidden_layers", DEFAULT_LAYERS), config.get("hidden_size", DEFAULT_WIDTH)
    return float(ACTIVATIONS_PER_WIDTH * NUMBER_BYTES * layers * width)


def read_config(model: Path) -> dict[str, Any]:
    """Return the configuration of a model folder, that of its text part first; {} if there is none."""
    try:
        config = json.loads((model / "config.json").read_bytes())
    except READ_ERRORS:
        return {}
    return {**config, **config.get("text_config", {})} if isinstance(config, dict) else {}
