"""Texts of unlike length in one row without padding: every layer but attention sees only tokens that exist.

Attention is the one place where tokens meet, so there, and only there, texts are laid out in small padded buckets of
like length. It plugs into transformers as an attention implementation (`AttentionInterface`), by name.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import eager_mask

PACKED_ATTENTION = "packed"
ROW_MULTIPLE = 64
"""A row is filled up to a multiple of this: matrix products of a shape seen before are set up already."""
MAX_PADDING_RATIO = 1.3
"""A bucket takes longer texts until its padded size is so many times its tokens."""


@dataclass(frozen=True, slots=True)
class LengthBucket:
    """Texts of like length, which lie side by side in the row: `place` maps padded slots to their tokens, `back` tokens
    to slots; `bias` (texts, 1, 1, longest) bars padding, and is None where there is none."""

    texts: int
    longest: int
    tokens: int
    slot_to_token: Tensor
    token_to_slot: Tensor
    bias: Tensor | None

    def to(self, device: torch.device) -> LengthBucket:
        """The same bucket on a device."""
        bias = None if self.bias is None else self.bias.to(device)
        return replace(self, slot_to_token=self.slot_to_token.to(device), token_to_slot=self.token_to_slot.to(device), bias=bias)


@dataclass(frozen=True, slots=True)
class PackedBatch:
    """Texts in one row (1, tokens), shortest first. `order` gives the place of each as it was handed in."""

    tokens: Tensor
    positions: Tensor
    segments: Tensor
    lengths: tuple[int, ...]
    order: tuple[int, ...]
    buckets: tuple[LengthBucket, ...]

    def compute_text_starts(self) -> Tensor:
        """Where each text begins in the row."""
        return torch.tensor([0, *self.lengths[:-1]]).cumsum(0)

    def to(self, device: torch.device) -> PackedBatch:
        """The same row on a device."""
        if self.tokens.device == device:
            return self
        return replace(
            self, tokens=self.tokens.to(device), positions=self.positions.to(device), segments=self.segments.to(device),
            buckets=tuple(bucket.to(device) for bucket in self.buckets),
        )


_current_packed_batch: ContextVar[PackedBatch | None] = ContextVar("packed", default=None)


def pack_texts(ids: Sequence[Sequence[int]], segments: Sequence[Sequence[int]] | None = None) -> PackedBatch:
    """Lay texts out in one row. Raises ValueError for an empty list or an empty text."""
    order = sorted(range(len(ids)), key=lambda index: (len(ids[index]), index))
    lengths = [len(ids[index]) for index in order]
    if not lengths or not lengths[0]:
        raise ValueError("texts to pack must be some, and each must have a token")
    filler = -sum(lengths) % ROW_MULTIPLE
    row = [token for index in order for token in ids[index]] + [0] * filler
    kinds = [kind for index in order for kind in segments[index]] if segments else [0] * sum(lengths)
    positions = [position for length in lengths for position in range(length)] + [0] * filler
    return PackedBatch(
        torch.tensor([row]), torch.tensor([positions]), torch.tensor([kinds + [0] * filler]),
        tuple(lengths), tuple(order), tuple(_split_into_buckets(lengths)),
    )


def _split_into_buckets(lengths: Sequence[int]) -> Iterator[LengthBucket]:
    """Cut sorted lengths where padding would outgrow `WASTE`."""
    mine: list[int] = []
    for length in lengths:
        if mine and length * (len(mine) + 1) > MAX_PADDING_RATIO * (sum(mine) + length):
            yield _build_bucket(mine)
            mine = []
        mine.append(length)
    yield _build_bucket(mine)


def _build_bucket(lengths: Sequence[int]) -> LengthBucket:
    sizes, longest = torch.tensor(lengths), max(lengths)
    real = torch.arange(longest) < sizes.unsqueeze(1)
    back = real.flatten().nonzero().squeeze(1)
    place = torch.zeros(real.numel(), dtype=torch.long)
    place[back] = torch.arange(len(back))
    bias = None if bool(real.all()) else torch.zeros(real.shape).masked_fill(~real, -1e4)[:, None, None]
    return LengthBucket(len(lengths), longest, len(back), place, back, bias)


class _PadFunction(torch.autograd.Function):
    """Tokens (n, …) to padded slots; what padding slots receive back is dropped."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, place: Tensor, back: Tensor) -> Tensor:
        ctx.save_for_backward(back)
        return x.index_select(0, place)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        return grad.index_select(0, ctx.saved_tensors[0]), None, None


class _UnpadFunction(torch.autograd.Function):
    """Padded slots to tokens; padding slots receive no gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, back: Tensor) -> Tensor:
        ctx.save_for_backward(back)
        ctx.shape = x.shape
        return x.index_select(0, back)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        return grad.new_zeros(ctx.shape).index_copy_(0, ctx.saved_tensors[0], grad), None


def attend_packed(
    module: nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, scaling: float,
    **_: Any,
) -> tuple[Tensor, None]:
    """Attention within each text of the announced row: (1, heads, tokens, width) → (1, tokens, heads, width).

    Where no row was announced it is plain attention over (batch, heads, tokens, width), under the mask.
    """
    packed = _current_packed_batch.get()
    if packed is None:
        return _compute_softmax_attention(query * scaling, key, value, attention_mask).transpose(1, 2), None
    total = query.shape[2]
    sizes = [bucket.tokens for bucket in packed.buckets]
    sizes.append(total - sum(sizes))
    rows = [torch.split(x[0].transpose(0, 1), sizes) for x in (query, key, value)]
    parts = zip(packed.buckets, *rows, strict=False)
    found = [_attend_bucket(bucket, q, k, v, scaling) for bucket, q, k, v in parts]
    found.append(rows[2][-1])
    return torch.cat(found).unsqueeze(0), None


def _attend_bucket(bucket: LengthBucket, query: Tensor, key: Tensor, value: Tensor, scaling: float) -> Tensor:
    """Softmax attention of one bucket: (tokens, heads, width) each, and so the result."""
    shape = (bucket.texts, bucket.longest, *query.shape[1:])
    q, k, v = (pad_bucket(x, bucket).view(shape).transpose(1, 2) for x in (query, key, value))
    mixed = _compute_softmax_attention(q * scaling, k, v, bucket.bias).transpose(1, 2).reshape(-1, *query.shape[1:])
    return unpad_bucket(mixed, bucket)


def _compute_softmax_attention(query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None) -> Tensor:
    """Softmax attention with an additive bias: all (…, tokens, width)."""
    weights = torch.matmul(query, key.transpose(-1, -2))
    if bias is not None:
        weights = weights + bias.to(weights.dtype)
    return torch.matmul(weights.softmax(-1), value)


def pad_bucket(x: Tensor, bucket: LengthBucket) -> Tensor:
    """The tokens of a bucket (tokens, …) in padded slots (texts × longest, …)."""
    if bucket.bias is None:
        return x.reshape(-1, *x.shape[1:])
    return _PadFunction.apply(x, bucket.slot_to_token, bucket.token_to_slot)  # type: ignore[no-any-return, no-untyped-call]


def unpad_bucket(x: Tensor, bucket: LengthBucket) -> Tensor:
    """The tokens of a bucket out of their padded slots."""
    return x if bucket.bias is None else _UnpadFunction.apply(x, bucket.token_to_slot)  # type: ignore[no-untyped-call]


def build_packed_attention_mask(*arguments: Any, **settings: Any) -> Tensor | None:
    """The additive mask of a padded batch; a row that was announced needs none."""
    return None if _current_packed_batch.get() is not None else eager_mask(*arguments, **settings)


AttentionInterface.register(PACKED_ATTENTION, attend_packed)
AttentionMaskInterface.register(PACKED_ATTENTION, build_packed_attention_mask)


@contextmanager
def use_packed_batch(packed: PackedBatch) -> Iterator[None]:
    """Announce the row that goes through a model next."""
    token = _current_packed_batch.set(packed)
    try:
        yield
    finally:
        _current_packed_batch.reset(token)


def compute_packed_hidden(model: nn.Module, packed: PackedBatch) -> list[Tensor]:
    """Token vectors of each text, (tokens, hidden) in fp32, in the order they were handed in."""
    out = _forward_packed(model, packed).last_hidden_state.float().cpu()
    if can_pack(model):
        parts = torch.split(out[0], [*packed.lengths, out.shape[1] - sum(packed.lengths)])
    else:
        parts = tuple(text[:length] for text, length in zip(out, packed.lengths, strict=True))
    found: list[Tensor] = [out] * len(packed.order)
    for index, part in zip(packed.order, parts, strict=False):
        found[index] = part
    return found


def compute_packed_logits(model: nn.Module, packed: PackedBatch) -> Tensor:
    """Outputs of a classifier that reads first tokens, (texts, labels) in fp32, in the order they were handed in."""
    out = _forward_packed(model, packed).logits.float().cpu()
    return torch.zeros_like(out).index_copy(0, torch.tensor(packed.order), out)


def can_pack(model: nn.Module) -> bool:
    """Whether a model was loaded with this attention; any other gets its texts padded."""
    config: Any = model.config
    return bool(config._attn_implementation == PACKED_ATTENTION)


def _forward_packed(model: nn.Module, packed: PackedBatch) -> Any:
    """The model's output for one row, or for a padded batch in the row's order where the model can not pack."""
    device: Any = model.device
    packed = packed.to(device)
    if can_pack(model):
        with use_packed_batch(packed):
            return model(input_ids=packed.tokens, position_ids=packed.positions, token_type_ids=packed.segments)
    rows = (row[0, : sum(packed.lengths)] for row in (packed.tokens, packed.segments))
    texts = [torch.split(row, list(packed.lengths)) for row in rows]
    tokens, segments = (pad_sequence(list(parts), batch_first=True) for parts in texts)
    mask = (torch.arange(tokens.shape[1]) < torch.tensor(packed.lengths).unsqueeze(1)).long().to(device)
    kinds = {"token_type_ids": segments} if bool(segments.any()) else {}
    return model(input_ids=tokens, attention_mask=mask, **kinds)


def keep_first_tokens_only(model: nn.Module) -> None:
    """Spare a BERT classifier what its head never reads: after the last attention, all tokens but each text's first.

    Outputs and gradients stay what they were; an eighth of the work of six layers goes. Needed when rows are packed,
    since the head then looks for first tokens in rows of their own.
    """
    encoder: Any = model.base_model.encoder  # type: ignore[union-attr]
    encoder.layer[-1].attention.output.register_forward_pre_hook(_select_first_tokens)


def _select_first_tokens(_: nn.Module, tensors: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    packed = _current_packed_batch.get()
    if packed is None:
        return tuple(tensor[:, :1] for tensor in tensors)
    starts = packed.compute_text_starts()
    return tuple(tensor[0, starts].unsqueeze(1) for tensor in tensors)
