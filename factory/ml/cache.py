"""Keys and values of what a decoder has read: buffers with room, so that a step copies its own tokens alone."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers import Cache, DynamicCache, DynamicLayer


class Roomy(DynamicLayer):  # type: ignore[misc]
    """One layer's keys and values (rows, heads, room, width), of which the first `length` places are filled."""

    def __init__(self, keys: Tensor, values: Tensor, rows: int, room: int) -> None:
        super().__init__()
        self.length = keys.shape[-2]
        self.keys, self.values = (_roomy(each, rows, self.length + room) for each in (keys, values))
        self.dtype, self.device, self.is_initialized = keys.dtype, keys.device, True

    def update(self, key_states: Tensor, value_states: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        """Add the keys and values of new tokens; returns all so far, as views."""
        end = self.length + key_states.shape[-2]
        self.keys[:, :, self.length : end] = key_states
        self.values[:, :, self.length : end] = value_states
        self.length = end
        return self.keys[:, :, :end], self.values[:, :, :end]

    def get_seq_length(self) -> int:
        """Places that are filled."""
        return self.length


def _roomy(tensor: Tensor, rows: int, places: int) -> Tensor:
    made = tensor.new_zeros(rows, tensor.shape[1], places, tensor.shape[3])
    made[:, :, : tensor.shape[2]] = tensor
    return made


def roomy(read: Cache | None, model: Any, rows: int, room: int) -> Cache:
    """A cache for `rows` rows that all begin with what was read once (None: with nothing), and `room` more tokens."""
    if read is None:
        config = model.config
        width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
        none = torch.empty(1, heads, 0, width, dtype=model.dtype, device=model.device)
        return Cache(layers=[Roomy(none, none, rows, room) for _ in range(config.num_hidden_layers)])
    return Cache(layers=[Roomy(layer.keys, layer.values, rows, room) for layer in read.layers])


def kept(cache: Cache, rows: Tensor) -> None:
    """Keep these rows of a cache alone."""
    for layer in cache.layers:
        layer.keys, layer.values = layer.keys.index_select(0, rows), layer.values.index_select(0, rows)


def empty() -> DynamicCache:
    """A cache that takes what one row reads."""
    return DynamicCache()
