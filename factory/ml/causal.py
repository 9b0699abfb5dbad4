"""A causal language model whose attention knows packed rows in training, and grouped keys and masks in answering.

Plugged into transformers as an attention implementation, by name. Keys and values are never copied for the query
heads that share them (grouped-query attention, arXiv:2305.13245).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence
from transformers import AttentionInterface, AttentionMaskInterface, AutoConfig, AutoModelForCausalLM
from transformers.masking_utils import eager_mask

from factory.ml import packed as packing
from factory.ml.norm import replace_norms
from factory.ml.packed import Bucket, Packed

NAME = "causal"
PLAIN = frozenset({"llama", "mistral", "qwen2", "qwen3", "smollm3"})
"""Decoders whose attention is plain causal attention with rotary positions; they are read in packed rows."""
LONG = 16
"""From so many queries on, the library's fused attention beats two products and a softmax."""
BARRED = -1e9


def load(folder: Path, dtype: torch.dtype) -> Any:
    """The causal base in evaluation mode. Raises ValueError for a base that is none, or has attention of other kinds.

    A decoder that is not known to be plain is read in padded batches by transformers' own attention.
    """
    config = AutoConfig.from_pretrained(folder)
    if not any(name.endswith(("ForCausalLM", "LMHeadModel")) for name in config.architectures or ()):
        raise ValueError(f"the base is a {config.model_type} without a language model's head; choose a generative base")
    plain = is_plain(config)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, attn_implementation=NAME if plain else "eager")
    if plain:
        replace_norms(model)
    return model.eval()


def is_plain(config: Any) -> bool:
    """Whether every layer attends to all earlier tokens and does nothing else."""
    kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
    window = getattr(config, "sliding_window", None) if getattr(config, "use_sliding_window", True) else None
    return config.model_type in PLAIN and kinds == {"full_attention"} and not window


def attend(
    module: nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, scaling: float,
    **_: Any,
) -> tuple[Tensor, None]:
    """Within each text of the announced row, or under an additive mask (batch, 1, queries, keys).

    (batch, heads, queries, width) with fewer key heads → (batch, queries, heads, width).
    """
    row = packing.current()
    if row is not None:
        return _packed(row, query, key, value, scaling), None
    if query.shape[2] >= LONG:
        groups = query.shape[1] // key.shape[1]
        key, value = key.repeat_interleave(groups, 1), value.repeat_interleave(groups, 1)
        mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=attention_mask, scale=scaling)
        return mixed.transpose(1, 2), None
    return _grouped(query * scaling, key, value, attention_mask).transpose(1, 2), None


def _packed(row: Packed, query: Tensor, key: Tensor, value: Tensor, scaling: float) -> Tensor:
    sizes = [bucket.tokens for bucket in row.buckets]
    filler = query.shape[2] - sum(sizes)
    queries, keys, values = (torch.split(each[0].transpose(0, 1), [*sizes, filler]) for each in (query, key, value))
    parts = zip(row.buckets, queries, keys, values, strict=False)
    found = [_within(bucket, q, k, v, scaling) for bucket, q, k, v in parts]
    found.append(torch.zeros_like(queries[-1]))
    return torch.cat(found).unsqueeze(0)


def _within(bucket: Bucket, query: Tensor, key: Tensor, value: Tensor, scaling: float) -> Tensor:
    """Causal attention of one bucket: (tokens, heads, width). What lies behind a text bars nothing: it comes later."""
    shape = (bucket.texts, bucket.longest)
    q, k, v = (packing.padded(each, bucket).view(*shape, *each.shape[1:]).transpose(1, 2)
               for each in (query, key, value))
    later = torch.ones(bucket.longest, bucket.longest, dtype=torch.bool, device=query.device).triu(1)
    bias = torch.zeros(later.shape, dtype=query.dtype, device=query.device).masked_fill_(later, BARRED)
    mixed = _grouped(q * scaling, k, v, bias).transpose(1, 2).reshape(-1, *query.shape[1:])
    return packing.unpadded(mixed, bucket)


def _grouped(query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None) -> Tensor:
    """Softmax attention (…, heads, queries, width) over fewer key heads, each for a group of query heads."""
    batch, heads, queries, width = query.shape
    shared, keys = key.shape[1], key.shape[2]
    weights = query.reshape(batch, shared, -1, width) @ key.transpose(-1, -2)
    if bias is not None:
        weights = (weights.view(batch, shared, -1, queries, keys) + bias.unsqueeze(-3)).view(weights.shape)
    mixed = weights.softmax(-1) @ value
    return mixed.view(batch, heads, queries, width)


def mask(*arguments: Any, **settings: Any) -> Tensor | None:
    """The additive mask of a padded batch; a row that was announced needs none."""
    return None if packing.current() is not None else eager_mask(*arguments, **settings)


AttentionInterface.register(NAME, attend)
AttentionMaskInterface.register(NAME, mask)


def spoken(model: nn.Module, row: Packed, starts: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Logits (tokens, vocabulary) in fp32 of each text's tokens from `starts` on, and those tokens: (tokens,).

    The head sees the places that predict them and no other: most of a row is prompt.
    """
    causal: Any = model
    row = row.to(causal.device)
    hidden, ends = _hidden(causal, row)
    first = [starts[index] for index in row.order]
    if any(not 0 < start <= length for start, length in zip(first, row.lengths, strict=True)):
        raise ValueError("what is learned must begin after a text's first token, and within the text")
    begins = row.starts().tolist()
    wanted = [torch.arange(at + start, at + length) for at, start, length in
              zip(begins, first, row.lengths, strict=True)]
    places = torch.cat(wanted).to(hidden.device)
    before = places - 1 if ends is None else ends[places - 1]
    logits = causal.get_output_embeddings()(hidden.index_select(0, before))
    return logits.float(), row.tokens[0, places]


def _hidden(model: Any, row: Packed) -> tuple[Tensor, Tensor | None]:
    """The last layer's vectors of a row (tokens, hidden); of a padded batch, with the places of the row's tokens."""
    body = model.get_decoder()
    if model.config._attn_implementation == NAME:
        with packing.packing(row):
            out = body(input_ids=row.tokens, position_ids=row.positions, use_cache=False)
        return out.last_hidden_state[0], None
    texts = torch.split(row.tokens[0, : sum(row.lengths)], list(row.lengths))
    tokens = pad_sequence(list(texts), batch_first=True)
    lengths = torch.tensor(row.lengths, device=tokens.device)
    real = torch.arange(tokens.shape[1], device=tokens.device) < lengths[:, None]
    out = body(input_ids=tokens, attention_mask=real.long(), use_cache=False)
    return out.last_hidden_state.flatten(0, 1), real.flatten().nonzero().squeeze(1)
