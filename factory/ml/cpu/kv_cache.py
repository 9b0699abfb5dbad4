"""A preallocated key-value cache: a decoding step writes only the keys and values of its own tokens."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers import Cache, DynamicLayer


class PreallocatedCacheLayer(DynamicLayer):  # type: ignore[misc]
    """Keys and values of one layer, (rows, heads, room, width), filled up to `length`."""

    def __init__(self, model: Any, rows: int, heads: int, room: int, width: int) -> None:
        super().__init__()
        self.length, self.dtype, self.device, self.is_initialized = 0, model.dtype, model.device, True
        self.keys, self.values = (
            torch.zeros(rows, heads, room, width, dtype=self.dtype, device=self.device) for _ in range(2)
        )

    def update(self, key_states: Tensor, value_states: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        """Append the keys and values of new tokens; return views of all so far."""
        end = self.length + key_states.shape[-2]
        self.keys[:, :, self.length : end] = key_states
        self.values[:, :, self.length : end] = value_states
        self.length = end
        return self.keys[:, :, :end], self.values[:, :, :end]

    def get_seq_length(self) -> int:
        """Return the number of cached tokens."""
        return self.length


def allocate_kv_cache(model: Any, rows: int, room: int) -> Cache:
    """Return an empty cache for `rows` sequences of up to `room` tokens."""
    config = model.config
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    layers = range(config.num_hidden_layers)
    return Cache(layers=[PreallocatedCacheLayer(model, rows, heads, room, width) for _ in layers])


def select_cache_rows(cache: Cache, rows: Tensor) -> None:
    """Keep only these rows of a cache."""
    for layer in cache.layers:
        layer.keys, layer.values = layer.keys.index_select(0, rows), layer.values.index_select(0, rows)
