"""Attention of causal language models: packed rows with a shared prefix in training, masked batches in inference.

Registered with transformers as an attention implementation. Short queries do not copy keys and values for the query
heads that share them (grouped-query attention, arXiv:2305.13245).
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import AttentionInterface, AttentionMaskInterface, AutoModelForCausalLM
from transformers.masking_utils import eager_mask

from factory.ml.cpu import packing
from factory.ml.cpu.packing import PackedBatch
from factory.ml.cpu.rms_norm import replace_norms

CAUSAL_ATTENTION = "causal"
PLAIN_ATTENTION_MODELS = frozenset({"llama", "mistral", "qwen2", "qwen3", "smollm3"})
"""Model types with plain causal attention and rotary positions; only these use packed rows."""
FUSED_ATTENTION_MIN_QUERIES = 16
"""From this many queries on, fused attention is faster than two products and a softmax."""
MASKED_SCORE = -1e9


@dataclass(frozen=True, slots=True)
class CompletionBatch:
    """Training texts: the prefix that all share, their packed suffixes, and the start of the targets in each suffix.

    In a causal model the hidden states of a prefix do not depend on the suffix, so it is computed once; its gradient
    is the sum over all texts. `target_starts` is in the original order.
    """

    prefix: tuple[int, ...]
    suffixes: PackedBatch
    target_starts: tuple[int, ...]

    def attend(self, query: Tensor, key: Tensor, value: Tensor, scaling: float) -> Tensor:
        """See `PackedRow`."""
        return _attend_packed_completions(self, query, key, value, scaling)


class PackedRow(Protocol):
    """A layout of training texts in one row, which knows what each of its tokens attends to."""

    def attend(self, query: Tensor, key: Tensor, value: Tensor, scaling: float) -> Tensor:
        """Return attention within the row: (1, heads, tokens, width), with fewer key heads → (1, tokens, heads,
        width)."""


LayerKeyValues = tuple[Tensor, Tensor]
"""Keys and values of a shared prefix in one layer: (1, key heads, tokens, width) each."""

_current_row: ContextVar[PackedRow | None] = ContextVar("row", default=None)
_prefix_key_values: ContextVar[Sequence[LayerKeyValues] | None] = ContextVar("prefix", default=None)


def has_plain_attention(config: Any) -> bool:
    """Return whether every layer has full causal attention, without a sliding window or another layer type."""
    layer_types = set(getattr(config, "layer_types", None) or ["full_attention"])
    window = getattr(config, "sliding_window", None) if getattr(config, "use_sliding_window", True) else None
    return config.model_type in PLAIN_ATTENTION_MODELS and layer_types == {"full_attention"} and not window


def load_causal_model(folder: Path, dtype: torch.dtype) -> Any:
    """Load a causal base with plain attention in evaluation mode."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, attn_implementation=CAUSAL_ATTENTION)
    replace_norms(model)
    return model.eval()


def attend_causal(
    module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, scaling: float, **_: Any
) -> tuple[Tensor, None]:
    """Attention within a packed row of texts, else under an additive mask (batch, 1, queries, keys).

    (batch, heads, queries, width), with fewer key heads → (batch, queries, heads, width).
    """
    row = _current_row.get()
    if row is not None:
        return row.attend(query, key, value, scaling), None
    layers = _prefix_key_values.get()
    prefix = layers[module.layer_idx] if layers is not None else None
    if query.shape[2] >= FUSED_ATTENTION_MIN_QUERIES:
        groups = query.shape[1] // key.shape[1]
        key, value = (x.repeat_interleave(groups, 1) for x in prepend_prefix(prefix, key, value))
        mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=attention_mask, scale=scaling)
    elif prefix is not None:
        mixed = _attend_grouped_after_prefix(prefix, query * scaling, key, value, attention_mask)
    else:
        mixed = attend_grouped(query * scaling, key, value, attention_mask)
    return mixed.transpose(1, 2), None


def prepend_prefix(prefix: LayerKeyValues | None, key: Tensor, value: Tensor) -> LayerKeyValues:
    """Put the keys and values of a shared prefix before those of each row."""
    if prefix is None:
        return key, value
    shared_key, shared_value = (shared.expand(len(key), -1, -1, -1) for shared in prefix)
    return torch.cat([shared_key, key], 2), torch.cat([shared_value, value], 2)


def _attend_packed_completions(
    row: CompletionBatch, query: Tensor, key: Tensor, value: Tensor, scaling: float
) -> Tensor:
    """Attention of a completion batch: the prefix sees itself, each suffix sees the prefix and itself."""
    cut, suffixes = len(row.prefix), row.suffixes
    prefix, rest = ([x[:, :, part] for x in (query, key, value)] for part in (slice(cut), slice(cut, None)))
    outputs = [attend_after_prefix(None, prefix[0], prefix[1], prefix[2], scaling).transpose(1, 2)[0]] if cut else []
    sizes = [bucket.tokens for bucket in suffixes.buckets]
    filler = rest[0].shape[2] - sum(sizes)
    queries, keys, values = (torch.split(x[0].transpose(0, 1), [*sizes, filler]) for x in rest)
    for bucket, *tensors in zip(suffixes.buckets, queries, keys, values, strict=False):
        shape = (bucket.texts, bucket.longest)
        q, k, v = (packing.pad_bucket(x, bucket).view(*shape, *x.shape[1:]).transpose(1, 2) for x in tensors)
        mixed = attend_after_prefix((prefix[1], prefix[2]) if cut else None, q, k, v, scaling)
        outputs.append(packing.unpad_bucket(mixed.transpose(1, 2).reshape(-1, *queries[0].shape[1:]), bucket))
    return torch.cat([*outputs, torch.zeros_like(queries[-1])]).unsqueeze(0)


def attend_after_prefix(
    prefix: LayerKeyValues | None, query: Tensor, key: Tensor, value: Tensor, scaling: float
) -> Tensor:
    """Causal attention (texts, heads, longest, width) after the keys and values of a shared prefix.

    Right padding needs no mask: causal attention never sees it.
    """
    bias = build_causal_mask(query.shape[2], prefix[0].shape[2] if prefix else 0, query.dtype, query.device)
    return attend_grouped(query * scaling, *prepend_prefix(prefix, key, value), bias)


def build_causal_mask(
    queries: int, past: int, dtype: torch.dtype = torch.float32, device: torch.device | None = None
) -> Tensor:
    """Return the additive mask (queries, past + queries): a token sees the past, itself and the tokens before it."""
    return torch.full((queries, past + queries), MASKED_SCORE, dtype=dtype, device=device).triu(past + 1)


def attend_grouped(query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None) -> Tensor:
    """Softmax attention (batch, heads, queries, width) over fewer key heads, each shared by a group of query heads."""
    batch, heads, queries, width = query.shape
    key_heads, keys = key.shape[1], key.shape[2]
    weights = query.reshape(batch, key_heads, -1, width) @ key.transpose(-1, -2)
    if bias is not None:
        weights = (weights.view(batch, key_heads, -1, queries, keys) + bias.unsqueeze(-3)).view(weights.shape)
    mixed = weights.softmax(-1) @ value
    return mixed.view(batch, heads, queries, width)


def _attend_grouped_after_prefix(
    prefix: LayerKeyValues, query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None
) -> Tensor:
    """Grouped attention over the keys of a shared prefix and then each row's own (Hydragen, arXiv:2402.05099).

    The first columns of `bias` belong to the prefix, which every row sees; they are ignored.
    """
    batch, heads, queries, width = query.shape
    key_heads, past = key.shape[1], prefix[0].shape[2]
    grouped = query.reshape(batch, key_heads, -1, width)
    weights = grouped @ key.transpose(-1, -2)
    if bias is not None:
        own_bias = bias[..., past:].unsqueeze(-3)
        weights = (weights.view(batch, key_heads, -1, queries, key.shape[2]) + own_bias).view(weights.shape)
    # The queries of all rows become one matrix, so that the prefix's keys and values are read once, not once a row.
    stacked = grouped.transpose(0, 1).reshape(key_heads, -1, width)
    prefix_weights = (stacked @ prefix[0][0].transpose(-1, -2)).view(key_heads, batch, -1, past).transpose(0, 1)
    probabilities = torch.cat([prefix_weights, weights], -1).softmax(-1)
    mixed = probabilities[..., :past].transpose(0, 1).reshape(key_heads, -1, past) @ prefix[1][0]
    output = mixed.view(key_heads, batch, -1, width).transpose(0, 1) + probabilities[..., past:] @ value
    return output.reshape(batch, heads, queries, width)


def use_prefix_key_values(layers: Sequence[LayerKeyValues] | None) -> AbstractContextManager[None]:
    """Within the context, every row follows a shared prefix with these keys and values of each layer."""
    return packing.set_context_variable(_prefix_key_values, layers)


def use_packed_row(row: PackedRow) -> AbstractContextManager[None]:
    """Within the context, the model reads texts in this layout."""
    return packing.set_context_variable(_current_row, row)


def build_causal_attention_mask(*arguments: Any, **settings: Any) -> Tensor | None:
    """Return the additive mask of a padded batch; None for a packed row, which masks by bucket."""
    return None if _current_row.get() is not None else eager_mask(*arguments, **settings)


AttentionInterface.register(CAUSAL_ATTENTION, attend_causal)
AttentionMaskInterface.register(CAUSAL_ATTENTION, build_causal_attention_mask)


def build_completion_batch(ids: Sequence[Sequence[int]], starts: Sequence[int]) -> CompletionBatch:
    """Pack texts whose tokens from `starts` on are the targets."""
    # The prefix ends before the token that predicts the first target, which must be in the suffix.
    prefix = find_common_prefix(ids)[: min(starts) - 1] if len(ids) > 1 else []
    cut = len(prefix)
    suffixes = packing.pack_texts([text[cut:] for text in ids])
    return CompletionBatch(tuple(prefix), suffixes, tuple(start - cut for start in starts))


def find_common_prefix(texts: Sequence[Sequence[int]]) -> list[int]:
    """Return the tokens with which all texts start."""
    first, last = min(map(list, texts)), max(map(list, texts))  # texts between them in this order share their prefix
    length = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
    return first[:length]


def compute_completion_logits(model: nn.Module, row: CompletionBatch) -> tuple[Tensor, Tensor]:
    """Return (logits, targets) of all target tokens: (tokens, vocabulary) in fp32, and (tokens,).

    The head is applied only to positions that predict a target, since most of a row is prompt.
    """
    causal: Any = model
    suffixes = row.suffixes.to(causal.device)
    hidden = _compute_suffix_hidden(causal, replace(row, suffixes=suffixes))
    target_starts = [row.target_starts[index] for index in suffixes.order]
    text_starts = suffixes.compute_text_starts().tolist()
    spans = zip(text_starts, target_starts, suffixes.lengths, strict=True)
    targets = torch.cat([torch.arange(text + start, text + length) for text, start, length in spans]).to(hidden.device)
    logits = causal.get_output_embeddings()(hidden.index_select(0, targets - 1))
    return logits.float(), suffixes.tokens[0, targets]


def compute_last_token_logits(model: nn.Module, ids: Sequence[Sequence[int]]) -> Tensor:
    """Return what the head `score` makes of each text's last token: (texts, labels) in fp32, in the order of `ids`."""
    causal: Any = model
    row = build_completion_batch(ids, [len(text) for text in ids])
    suffixes = row.suffixes.to(causal.device)
    hidden = _compute_suffix_hidden(causal, replace(row, suffixes=suffixes))
    last = suffixes.compute_text_starts() + torch.tensor(suffixes.lengths) - 1
    logits = causal.score(hidden.index_select(0, last.to(hidden.device)).to(causal.score.weight.dtype)).float().cpu()
    return torch.zeros_like(logits).index_copy(0, torch.tensor(suffixes.order), logits)


def _compute_suffix_hidden(model: Any, row: CompletionBatch) -> Tensor:
    """Return the last hidden states of all suffixes in the row's order: (tokens, hidden)."""
    body, rest, past = model.base_model, row.suffixes, len(row.prefix)
    shared = torch.tensor([row.prefix], dtype=rest.tokens.dtype, device=rest.tokens.device)
    positions = torch.cat([torch.arange(past, device=shared.device)[None], rest.positions + past], 1)
    with use_packed_row(row):
        out = body(input_ids=torch.cat([shared, rest.tokens], 1), position_ids=positions, use_cache=False)
    hidden: Tensor = out.last_hidden_state[0, past:]
    return hidden
