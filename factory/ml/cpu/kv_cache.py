"""A preallocated key-value cache for decoding."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from transformers import Cache, DynamicLayer


class PreallocatedCacheLayer(DynamicLayer):  # type: ignore[misc]
    """Keys and values of one layer, (rows, heads, room, width), filled up to `length`.

    Memory is allocated once: a decoding step writes only the keys and values of its own tokens.
    """

    def __init__(self, keys: Tensor, values: Tensor) -> None:
        super().__init__()
        self.length, self.dtype, self.device, self.is_initialized = 0, keys.dtype, keys.device, True
        self.keys, self.values = keys, values

    def update(self, key_states: Tensor, value_states: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        """Append the keys and values of new tokens; return views of all so far."""
        end = self.length + key_states.shape[-2]
        if end > self.keys.shape[-2]:
            # Half as much room again, so that a cache that goes on growing is seldom copied.
            more = (0, 0, 0, end + end // 2 - self.keys.shape[-2])
            self.keys, self.values = functional.pad(self.keys, more), functional.pad(self.values, more)
        self.keys[:, :, self.length : end] = key_states
        self.values[:, :, self.length : end] = value_states
        self.length = end
        return self.keys[:, :, :end], self.values[:, :, :end]

    def get_seq_length(self) -> int:
        """Return the number of cached tokens."""
        return self.length

    def keep_rows(self, rows: Tensor) -> None:
        """Drop all rows but these."""
        self.keys, self.values = self.keys.index_select(0, rows), self.values.index_select(0, rows)


def allocate_kv_cache(model: Any, rows: int, room: int) -> Cache:
    """Return an empty cache for `rows` sequences of `room` tokens; it grows when they get longer."""
    config = model.config
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    shape = (rows, heads, room, width)
    keys, values = (
        [torch.zeros(shape, dtype=model.dtype, device=model.device) for _ in range(config.num_hidden_layers)]
        for _ in range(2)
    )
    return Cache(layers=list(map(PreallocatedCacheLayer, keys, values)))


def view_cache_rows(cache: Cache, rows: slice, start: int) -> Cache:
    """Return a cache that writes the keys and values of these rows into another, from column `start` on."""
    return Cache(layers=[
        PreallocatedCacheLayer(layer.keys[rows, :, start:], layer.values[rows, :, start:]) for layer in cache.layers
    ])


def set_cached_length(cache: Cache, length: int) -> None:
    """Say that the first `length` columns are filled."""
    for layer in cache.layers:
        layer.length = length
