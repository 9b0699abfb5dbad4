"""Packing texts of different lengths into one row without padding.

Only attention mixes tokens, so only there are texts laid out in small padded buckets of similar length. It is
registered with transformers as an attention implementation (`AttentionInterface`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import eager_mask

PACKED_ATTENTION = "packed"
ROW_MULTIPLE = 64
"""Rows are filled up to a multiple of this many tokens: kernels for a shape seen before are already set up."""
MAX_PADDING_RATIO = 1.3
"""Maximum padded size of a bucket as a multiple of its tokens."""


@dataclass(frozen=True, slots=True)
class LengthBucket:
    """Texts of similar length, adjacent in the row. `slot_to_token` maps padded slots to tokens, `token_to_slot` back;
    `bias` (texts, 1, 1, longest) masks padding and is None when there is none."""

    texts: int
    longest: int
    tokens: int
    slot_to_token: Tensor
    token_to_slot: Tensor
    bias: Tensor | None

    def to(self, device: torch.device) -> LengthBucket:
        """Return the bucket on a device."""
        slots, tokens = self.slot_to_token.to(device), self.token_to_slot.to(device)
        bias = None if self.bias is None else self.bias.to(device)
        return replace(self, slot_to_token=slots, token_to_slot=tokens, bias=bias)


@dataclass(frozen=True, slots=True)
class PackedBatch:
    """Texts in one row (1, tokens), shortest first. `order` has the original index of each text."""

    tokens: Tensor
    positions: Tensor
    segments: Tensor
    lengths: tuple[int, ...]
    order: tuple[int, ...]
    buckets: tuple[LengthBucket, ...]

    def compute_text_starts(self) -> Tensor:
        """Return the start of each text in the row."""
        return torch.tensor([0, *self.lengths[:-1]]).cumsum(0)

    def to(self, device: torch.device) -> PackedBatch:
        """Return the batch on a device."""
        if self.tokens.device == device:
            return self
        return replace(
            self, tokens=self.tokens.to(device), positions=self.positions.to(device), segments=self.segments.to(device),
            buckets=tuple(bucket.to(device) for bucket in self.buckets),
        )


_current_packed_batch: ContextVar[PackedBatch | None] = ContextVar("packed", default=None)
T = TypeVar("T")


@contextmanager
def set_context_variable(variable: ContextVar[T], value: T) -> Iterator[None]:
    """Within the context, the variable has this value: transformers passes no batch layout to attention functions."""
    token = variable.set(value)
    try:
        yield
    finally:
        variable.reset(token)


def pack_texts(ids: Sequence[Sequence[int]], segments: Sequence[Sequence[int]] | None = None) -> PackedBatch:
    """Pack tokenised texts into one row."""
    order = sorted(range(len(ids)), key=lambda index: (len(ids[index]), index))
    lengths = [len(ids[index]) for index in order]
    filler = -sum(lengths) % ROW_MULTIPLE  # token 0 up to the next multiple
    row = [token for index in order for token in ids[index]] + [0] * filler
    segment_row = [segment for index in order for segment in segments[index]] if segments else [0] * sum(lengths)
    positions = [position for length in lengths for position in range(length)] + [0] * filler
    return PackedBatch(
        torch.tensor([row]), torch.tensor([positions]), torch.tensor([segment_row + [0] * filler]),
        tuple(lengths), tuple(order), tuple(_split_into_buckets(lengths)),
    )


def _split_into_buckets(lengths: Sequence[int]) -> Iterator[LengthBucket]:
    """Split sorted lengths where padding would exceed MAX_PADDING_RATIO."""
    bucket: list[int] = []
    for length in lengths:
        if bucket and length * (len(bucket) + 1) > MAX_PADDING_RATIO * (sum(bucket) + length):
            yield build_bucket(bucket)
            bucket = []
        bucket.append(length)
    yield build_bucket(bucket)


def build_bucket(lengths: Sequence[int]) -> LengthBucket:
    """Build a bucket of texts of these lengths, in their order."""
    sizes, longest = torch.tensor(lengths), max(lengths)
    real = torch.arange(longest) < sizes.unsqueeze(1)
    token_to_slot = real.flatten().nonzero().squeeze(1)
    slot_to_token = torch.zeros(real.numel(), dtype=torch.long)  # padding slots read token 0, which the bias masks
    slot_to_token[token_to_slot] = torch.arange(len(token_to_slot))
    bias = None if bool(real.all()) else torch.zeros(real.shape).masked_fill(~real, -1e4)[:, None, None]
    return LengthBucket(len(lengths), longest, len(token_to_slot), slot_to_token, token_to_slot, bias)


class _PadFunction(torch.autograd.Function):
    """Tokens (n, …) to padded slots; gradients of padding slots are dropped."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, slot_to_token: Tensor, token_to_slot: Tensor) -> Tensor:
        ctx.save_for_backward(token_to_slot)
        return x.index_select(0, slot_to_token)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        return grad.index_select(0, ctx.saved_tensors[0]), None, None


class _UnpadFunction(torch.autograd.Function):
    """Padded slots to tokens; padding slots receive no gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, token_to_slot: Tensor) -> Tensor:
        ctx.save_for_backward(token_to_slot)
        ctx.shape = x.shape
        return x.index_select(0, token_to_slot)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        return grad.new_zeros(ctx.shape).index_copy_(0, ctx.saved_tensors[0], grad), None


def attend_packed(
    module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, scaling: float, **_: Any
) -> tuple[Tensor, None]:
    """Attention within each text of the current packed batch: (1, heads, tokens, width) → (1, tokens, heads, width).

    Without a packed batch, masked softmax attention over (batch, heads, tokens, width).
    """
    packed = _current_packed_batch.get()
    if packed is None:
        return _compute_softmax_attention(query * scaling, key, value, attention_mask).transpose(1, 2), None
    total = query.shape[2]
    sizes = [bucket.tokens for bucket in packed.buckets]
    sizes.append(total - sum(sizes))
    rows = [torch.split(x[0].transpose(0, 1), sizes) for x in (query, key, value)]
    bucket_rows = zip(packed.buckets, *rows, strict=False)
    outputs = [_attend_bucket(bucket, q, k, v, scaling) for bucket, q, k, v in bucket_rows]
    outputs.append(rows[2][-1])  # filler tokens: any finite vectors will do
    return torch.cat(outputs).unsqueeze(0), None


def _attend_bucket(bucket: LengthBucket, query: Tensor, key: Tensor, value: Tensor, scaling: float) -> Tensor:
    """Softmax attention of one bucket; all arguments and the result are (tokens, heads, width)."""
    shape = (bucket.texts, bucket.longest, *query.shape[1:])
    q, k, v = (pad_bucket(x, bucket).view(shape).transpose(1, 2) for x in (query, key, value))
    mixed = _compute_softmax_attention(q * scaling, k, v, bucket.bias).transpose(1, 2).reshape(-1, *query.shape[1:])
    return unpad_bucket(mixed, bucket)


def _compute_softmax_attention(query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None) -> Tensor:
    """Softmax attention with an additive bias; all tensors are (…, tokens, width)."""
    weights = torch.matmul(query, key.transpose(-1, -2))
    if bias is not None:
        weights = weights + bias.to(weights.dtype)
    return torch.matmul(weights.softmax(-1), value)


def pad_bucket(x: Tensor, bucket: LengthBucket) -> Tensor:
    """Move the tokens of a bucket (tokens, …) to padded slots (texts × longest, …)."""
    if bucket.bias is None:
        return x.reshape(-1, *x.shape[1:])
    return _PadFunction.apply(x, bucket.slot_to_token, bucket.token_to_slot)  # type: ignore[no-any-return, no-untyped-call]


def unpad_bucket(x: Tensor, bucket: LengthBucket) -> Tensor:
    """Move the tokens of a bucket out of their padded slots."""
    return x if bucket.bias is None else _UnpadFunction.apply(x, bucket.token_to_slot)  # type: ignore[no-untyped-call]


def build_packed_attention_mask(*arguments: Any, **settings: Any) -> Tensor | None:
    """Return the additive mask of a padded batch; None for a packed batch, which masks by bucket."""
    return None if _current_packed_batch.get() is not None else eager_mask(*arguments, **settings)


AttentionInterface.register(PACKED_ATTENTION, attend_packed)
AttentionMaskInterface.register(PACKED_ATTENTION, build_packed_attention_mask)


def compute_packed_hidden(model: nn.Module, packed: PackedBatch) -> list[Tensor]:
    """Return the last hidden states of each text, (tokens, hidden) in fp32, in the original order."""
    out = _forward_packed(model, packed).last_hidden_state.float().cpu()
    parts = torch.split(out[0], [*packed.lengths, out.shape[1] - sum(packed.lengths)])
    vectors: list[Tensor] = [out] * len(packed.order)
    for index, part in zip(packed.order, parts, strict=False):
        vectors[index] = part
    return vectors


def compute_packed_logits(model: nn.Module, packed: PackedBatch) -> Tensor:
    """Return the logits of a classifier on first tokens, (texts, labels) in fp32, in the original order."""
    out = _forward_packed(model, packed).logits.float().cpu()
    return torch.zeros_like(out).index_copy(0, torch.tensor(packed.order), out)


def _forward_packed(model: nn.Module, packed: PackedBatch) -> Any:
    """Return the output of a model with packed attention."""
    device: Any = model.device
    packed = packed.to(device)
    with set_context_variable(_current_packed_batch, packed):
        return model(input_ids=packed.tokens, position_ids=packed.positions, token_type_ids=packed.segments)


def keep_first_tokens_only(model: nn.Module) -> None:
    """Drop all tokens but each text's first after the last attention of a BERT classifier, whose head reads no other.

    Outputs and gradients do not change; it saves an eighth of the work of six layers. Packed rows require it, since
    the head takes the first token of each row.
    """
    encoder: Any = model.base_model.encoder  # type: ignore[union-attr]
    encoder.layer[-1].attention.output.register_forward_pre_hook(_select_first_tokens)


def _select_first_tokens(_: nn.Module, tensors: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    packed = _current_packed_batch.get()
    if packed is None:
        return tuple(tensor[:, :1] for tensor in tensors)
    starts = packed.compute_text_starts()
    return tuple(tensor[0, starts].unsqueeze(1) for tensor in tensors)
