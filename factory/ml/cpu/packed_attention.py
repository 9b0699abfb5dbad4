"""A causal language model whose attention knows packed rows in training, and grouped keys and masks in answering.

Plugged into transformers as an attention implementation, by name. Keys and values are never copied for the query
heads that share them (grouped-query attention, arXiv:2305.13245).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence
from transformers import AttentionInterface, AttentionMaskInterface, AutoConfig, AutoModelForCausalLM
from transformers.masking_utils import eager_mask

from factory.ml.cpu import packing as packing
from factory.ml.cpu.packing import PackedBatch
from factory.ml.cpu.rms_norm import replace_norms

CAUSAL_ATTENTION = "causal"
PLAIN_ATTENTION_MODELS = frozenset({"llama", "mistral", "qwen2", "qwen3", "smollm3"})
"""Decoders whose attention is plain causal attention with rotary positions; they are read in packed rows."""
FUSED_ATTENTION_MIN_QUERIES = 16
"""From so many queries on, the library's fused attention beats two products and a softmax."""
MASKED_SCORE = -1e9


@dataclass(frozen=True, slots=True)
class CompletionBatch:
    """Texts to learn from: the tokens with which all of them begin, once; the rest of each in one row; and where in
    its rest each text, as handed in, begins to be learned.

    What all share is the same for every text whatever follows, in a causal model: its gradient is the sum of theirs.
    """

    prefix: tuple[int, ...]
    suffixes: PackedBatch
    target_starts: tuple[int, ...]


LayerKeyValues = tuple[Tensor, Tensor]
"""Keys and values that a layer made of what all rows begin with: (1, key heads, tokens, width) each."""

_current_completions: ContextVar[CompletionBatch | None] = ContextVar("speech", default=None)
_prefix_key_values: ContextVar[Sequence[LayerKeyValues] | None] = ContextVar("read", default=None)


def load_causal_model(folder: Path, dtype: torch.dtype) -> Any:
    """The causal base in evaluation mode. Raises ValueError for a base that is none, or has attention of other kinds.

    A decoder that is not known to be plain is read in padded batches by transformers' own attention.
    """
    config = AutoConfig.from_pretrained(folder)
    if not any(name.endswith(("ForCausalLM", "LMHeadModel")) for name in config.architectures or ()):
        raise ValueError(f"the base is a {config.model_type} without a language model's head; choose a generative base")
    plain = has_plain_attention(config)
    model = AutoModelForCausalLM.from_pretrained(
        folder, dtype=dtype, attn_implementation=CAUSAL_ATTENTION if plain else "eager"
    )
    if plain:
        replace_norms(model)
    return model.eval()


def has_plain_attention(config: Any) -> bool:
    """Whether every layer attends to all earlier tokens and does nothing else."""
    kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
    window = getattr(config, "sliding_window", None) if getattr(config, "use_sliding_window", True) else None
    return config.model_type in PLAIN_ATTENTION_MODELS and kinds == {"full_attention"} and not window


def attend_causal(
    module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, scaling: float,
    **_: Any,
) -> tuple[Tensor, None]:
    """Within each text of the announced row, or under an additive mask (batch, 1, queries, keys).

    (batch, heads, queries, width) with fewer key heads → (batch, queries, heads, width).
    """
    row = _current_completions.get()
    if row is not None:
        return _attend_packed_completions(row, query, key, value, scaling), None
    read = _prefix_key_values.get()
    if read is not None and query.shape[2] < FUSED_ATTENTION_MIN_QUERIES:
        return _attend_grouped_after_prefix(
            read[module.layer_idx], query * scaling, key, value, attention_mask
        ).transpose(1, 2), None
    if read is not None:
        key, value = (torch.cat([shared.expand(len(own), -1, -1, -1), own], 2)
                      for shared, own in zip(read[module.layer_idx], (key, value), strict=True))
    if query.shape[2] >= FUSED_ATTENTION_MIN_QUERIES:
        groups = query.shape[1] // key.shape[1]
        key, value = key.repeat_interleave(groups, 1), value.repeat_interleave(groups, 1)
        mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=attention_mask, scale=scaling)
        return mixed.transpose(1, 2), None
    return _attend_grouped(query * scaling, key, value, attention_mask).transpose(1, 2), None


def _attend_packed_completions(
    row: CompletionBatch, query: Tensor, key: Tensor, value: Tensor, scaling: float
) -> Tensor:
    """What all share attends to itself; the rest of each text to what all share, and to itself."""
    begun, rest = len(row.prefix), row.suffixes
    first, later = ([each[:, :, cut] for each in (query, key, value)] for cut in (slice(begun), slice(begun, None)))
    found = [_attend_after_prefix(None, first[0], first[1], first[2], scaling).transpose(1, 2)[0]] if begun else []
    sizes = [bucket.tokens for bucket in rest.buckets]
    filler = later[0].shape[2] - sum(sizes)
    queries, keys, values = (torch.split(each[0].transpose(0, 1), [*sizes, filler]) for each in later)
    for bucket, *three in zip(rest.buckets, queries, keys, values, strict=False):
        shape = (bucket.texts, bucket.longest)
        q, k, v = (packing.pad_bucket(each, bucket).view(*shape, *each.shape[1:]).transpose(1, 2) for each in three)
        mixed = _attend_after_prefix((first[1], first[2]) if begun else None, q, k, v, scaling)
        found.append(packing.unpad_bucket(mixed.transpose(1, 2).reshape(-1, *queries[0].shape[1:]), bucket))
    return torch.cat([*found, torch.zeros_like(queries[-1])]).unsqueeze(0)


def _attend_after_prefix(
    read: tuple[Tensor, Tensor] | None, query: Tensor, key: Tensor, value: Tensor, scaling: float
) -> Tensor:
    """Causal attention (texts, heads, longest, width), after the keys and values of what all texts share.

    What pads a text bars nothing: it comes later.
    """
    texts, longest, before = query.shape[0], query.shape[2], 0
    if read is not None:
        before = read[0].shape[2]
        key, value = (torch.cat([shared.expand(texts, -1, -1, -1), own], 2)
                      for shared, own in zip(read, (key, value), strict=True))
    later = torch.ones(longest, before + longest, dtype=torch.bool, device=query.device).triu(before + 1)
    bias = torch.zeros(later.shape, dtype=query.dtype, device=query.device).masked_fill_(later, MASKED_SCORE)
    return _attend_grouped(query * scaling, key, value, bias)


def _attend_grouped(query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None) -> Tensor:
    """Softmax attention (…, heads, queries, width) over fewer key heads, each for a group of query heads."""
    batch, heads, queries, width = query.shape
    shared, keys = key.shape[1], key.shape[2]
    weights = query.reshape(batch, shared, -1, width) @ key.transpose(-1, -2)
    if bias is not None:
        weights = (weights.view(batch, shared, -1, queries, keys) + bias.unsqueeze(-3)).view(weights.shape)
    mixed = weights.softmax(-1) @ value
    return mixed.view(batch, heads, queries, width)


def _attend_grouped_after_prefix(
    read: LayerKeyValues, query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None
) -> Tensor:
    """The same over own keys and, before them, keys that all rows share, which are read once for all rows.

    The first columns of `bias` are of the shared keys, which every row may see (Hydragen,
    arXiv:2402.05099).
    """
    batch, heads, queries, width = query.shape
    many, began = key.shape[1], read[0].shape[2]
    own = query.reshape(batch, many, -1, width)
    weights = own @ key.transpose(-1, -2)
    if bias is not None:
        own_bias = bias[..., began:].unsqueeze(-3)
        weights = (weights.view(batch, many, -1, queries, key.shape[2]) + own_bias).view(weights.shape)
    together = own.transpose(0, 1).reshape(many, -1, width)
    first = (together @ read[0][0].transpose(-1, -2)).view(many, batch, -1, began).transpose(0, 1)
    shares = torch.cat([first, weights], -1).softmax(-1)
    mixed = shares[..., :began].transpose(0, 1).reshape(many, -1, began) @ read[1][0]
    found = mixed.view(many, batch, -1, width).transpose(0, 1) + shares[..., began:] @ value
    return found.reshape(batch, heads, queries, width)


@contextmanager
def use_prefix_key_values(read: Sequence[LayerKeyValues] | None) -> Iterator[None]:
    """Let what goes through a model next come after what was read once: keys and values of each layer."""
    token = _prefix_key_values.set(read)
    try:
        yield
    finally:
        _prefix_key_values.reset(token)


def build_causal_attention_mask(*arguments: Any, **settings: Any) -> Tensor | None:
    """The additive mask of a padded batch; a row that was announced needs none."""
    return None if _current_completions.get() is not None else eager_mask(*arguments, **settings)


AttentionInterface.register(CAUSAL_ATTENTION, attend_causal)
AttentionMaskInterface.register(CAUSAL_ATTENTION, build_causal_attention_mask)


def build_completion_batch(ids: Sequence[Sequence[int]], starts: Sequence[int]) -> CompletionBatch:
    """Texts of which the tokens from `starts` on are learned. Raises ValueError for a start that is not within."""
    if any(not 0 < start < len(text) for start, text in zip(starts, ids, strict=True)):
        raise ValueError("what is learned must begin after a text's first token, and within the text")
    alike = [token for token in ids[0][: min(starts) - 1]] if len(ids) > 1 else []
    for text in ids:
        alike = alike[: next((i for i, (a, b) in enumerate(zip(alike, text, strict=False)) if a != b), len(alike))]
    cut = len(alike)
    return CompletionBatch(
        tuple(alike), packing.pack_texts([text[cut:] for text in ids]), tuple(start - cut for start in starts)
    )


def compute_completion_logits(model: nn.Module, row: CompletionBatch) -> tuple[Tensor, Tensor]:
    """Logits (tokens, vocabulary) in fp32 of what is learned of each text, and those tokens: (tokens,).

    The head sees the places that predict them and no other: most of a row is prompt.
    """
    causal: Any = model
    rest = row.suffixes.to(causal.device)
    hidden = _compute_suffix_hidden(causal, replace(row, suffixes=rest))
    first = [row.target_starts[index] for index in rest.order]
    begins = rest.compute_text_starts().tolist()
    wanted = [torch.arange(at + start, at + length) for at, start, length in
              zip(begins, first, rest.lengths, strict=True)]
    places = torch.cat(wanted).to(hidden.device)
    logits = causal.get_output_embeddings()(hidden.index_select(0, places - 1))
    return logits.float(), rest.tokens[0, places]


def _compute_suffix_hidden(model: Any, row: CompletionBatch) -> Tensor:
    """The last layer's vectors of the rest of each text, in the row's order: (tokens, hidden)."""
    body, rest, begun = model.get_decoder(), row.suffixes, len(row.prefix)
    shared = torch.tensor([row.prefix], dtype=rest.tokens.dtype, device=rest.tokens.device)
    if model.config._attn_implementation == CAUSAL_ATTENTION:
        positions = torch.cat([torch.arange(begun, device=shared.device)[None], rest.positions + begun], 1)
        token = _current_completions.set(row)
        try:
            out = body(input_ids=torch.cat([shared, rest.tokens], 1), position_ids=positions, use_cache=False)
        finally:
            _current_completions.reset(token)
        hidden: Tensor = out.last_hidden_state[0, begun:]
        return hidden
    texts = torch.split(rest.tokens[0, : sum(rest.lengths)], list(rest.lengths))
    tokens = pad_sequence([torch.cat([shared[0], text]) for text in texts], batch_first=True)
    lengths = begun + torch.tensor(rest.lengths, device=tokens.device)
    place = torch.arange(tokens.shape[1], device=tokens.device)
    out = body(input_ids=tokens, attention_mask=(place < lengths[:, None]).long(), use_cache=False)
    own: Tensor = out.last_hidden_state[(place >= begun) & (place < lengths[:, None])]
    return own
