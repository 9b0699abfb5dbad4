"""Batched decoding, greedy or sampled, with a preallocated key-value cache.

A prefix that all prompts share is computed once, prompts of similar length share a batch, and finished rows leave it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from transformers import Cache, DynamicLayer

from factory.api import Reporter
from factory.api.grammar import GrammarState
from factory.ml.cpu import packed_attention
from factory.ml.encoder import iterate_chunks
from factory.ml.sampling import add_gumbel_noise
from factory.ml.text_batch import Ids

MAX_BATCH_ROWS = 48
MAX_BATCH_TOKENS = 12_288
"""Maximum rows and padded prompt tokens of a decoding batch."""
MIN_SHARED_PREFIX = 16
"""Shorter shared prefixes are not worth a forward pass of their own."""


@dataclass(frozen=True, slots=True)
class DecodingContext:
    """A causal model, the ids that end an answer, and the function that decodes ids."""

    model: Any
    end_ids: frozenset[int]
    decode: Callable[[list[int]], str]
    on_text: Callable[[str], None] | None = None
    """Called with the text so far after every token when there is a single prompt."""


@dataclass
class _ActiveSequence:
    """An unfinished answer: its prompt, its tokens so far, and the state of its grammar and random generator if any."""

    prompt_index: int
    grammar: GrammarState | None
    generator: torch.Generator | None
    token_ids: list[int] = field(default_factory=list)
    ended: bool = False


@torch.inference_mode()
def generate_token_ids(
    context: DecodingContext, prompts: Ids, limit: int, grammars: Sequence[GrammarState | None] = (),
    report: Reporter | None = None, *, temperature: float = 0.0, seeds: Sequence[int] = (),
) -> list[list[int]]:
    """Generate up to `limit` ids for each prompt, without the end id; an answer of `limit` ids was cut off.

    Greedy at temperature 0, else sampled with one seed per prompt.
    """
    generated: list[list[int]] = [[] for _ in prompts]
    prefix = find_shared_prefix(prompts)
    prefix_key_values = prefill_prefix(context.model, prefix)
    suffixes = [prompt[len(prefix) :] for prompt in prompts]
    lengths = [len(suffix) for suffix in suffixes]
    for chunk in iterate_chunks(lengths, MAX_BATCH_TOKENS, report, "answers", MAX_BATCH_ROWS):
        generators = [torch.Generator().manual_seed(seeds[index]) if temperature > 0 else None for index in chunk]
        states = [grammars[index] if grammars else None for index in chunk]
        rows = list(map(_ActiveSequence, chunk, states, generators))
        with packed_attention.use_prefix_key_values(prefix_key_values):
            _decode_batch(context, len(prefix), [suffixes[index] for index in chunk], rows, limit, temperature)
        for row in rows:
            generated[row.prompt_index] = row.token_ids
    return generated


def find_shared_prefix(prompts: Ids) -> Sequence[int]:
    """Return the prefix that all prompts share, if it is long enough; each prompt keeps at least one id of its own."""
    if len(prompts) < 2:
        return ()
    shared = packed_attention.find_common_prefix(prompts)[: min(map(len, prompts)) - 1]
    return shared if len(shared) >= MIN_SHARED_PREFIX else ()


def prefill_prefix(model: Any, prefix: Sequence[int]) -> Sequence[packed_attention.LayerKeyValues] | None:
    """Return the keys and values of a shared prefix, layer by layer; None for an empty one."""
    if not prefix:
        return None
    cache = allocate_kv_cache(model, 1, len(prefix))
    mask = packed_attention.build_causal_mask(len(prefix), 0, model.dtype, model.device)[None, None]
    tokens = torch.tensor([list(prefix)], device=model.device)
    model.get_decoder()(input_ids=tokens, attention_mask=mask, past_key_values=cache, use_cache=True)
    return [(layer.keys, layer.values) for layer in cache.layers]


@dataclass(frozen=True, slots=True)
class PrefilledBatch:
    """A batch of prompts after its forward pass: the KV cache, the additive mask of its keys (rows, keys), the position
    of each row's next token, and the hidden states of each row's last token (rows, hidden)."""

    cache: Cache
    key_mask: Tensor
    positions: Tensor
    last_hidden: Tensor


def prefill_batch(model: Any, past: int, prompts: Ids, room: int) -> PrefilledBatch:
    """Run a left-padded batch after a shared prefix of `past` tokens; leave room for `room` more tokens per row."""
    rows, width, masked = len(prompts), max(map(len, prompts)), packed_attention.MASKED_SCORE
    padding = torch.tensor([width - len(prompt) for prompt in prompts])
    tokens = torch.tensor([[0] * (width - len(prompt)) + list(prompt) for prompt in prompts])
    # Left padding ends all prompts in one column, so that each step appends one column for all rows.
    key_mask = torch.zeros(rows, past + width + room)
    key_mask[:, past : past + width].masked_fill_(torch.arange(width) < padding[:, None], masked)
    causal = packed_attention.build_causal_mask(width, past)
    mask = (key_mask[:, None, None, : past + width] + causal).clamp_(min=masked)
    positions = (past + torch.arange(width) - padding[:, None]).clamp(min=0)
    cache = allocate_kv_cache(model, rows, width + room)
    hidden = model.get_decoder()(
        input_ids=tokens.to(model.device), attention_mask=mask.to(model.device, model.dtype),
        position_ids=positions.to(model.device), past_key_values=cache, use_cache=True,
    ).last_hidden_state
    next_positions = positions[:, -1].to(model.device) + 1
    return PrefilledBatch(cache, key_mask.to(model.device, model.dtype), next_positions, hidden[:, -1])


def _decode_batch(
    context: DecodingContext, past: int, prompts: Ids, rows: list[_ActiveSequence], limit: int, temperature: float
) -> None:
    """Decode until every sequence has ended or has `limit` tokens."""
    model, head = context.model, context.model.get_output_embeddings()
    batch = prefill_batch(model, past, prompts, limit)
    key_mask, positions, hidden = batch.key_mask, batch.positions, batch.last_hidden
    active, length = rows, past + max(map(len, prompts))
    for step in range(limit):
        logits = head(hidden)
        if temperature > 0:
            logits = add_gumbel_noise(logits, [row.generator for row in active], temperature)
        chosen = _choose_next_tokens(context, logits, active)
        for row, token in zip(active, chosen, strict=True):
            row.ended = row.ended or token in context.end_ids
            if not row.ended:
                row.token_ids.append(token)
        if context.on_text is not None and len(rows) == 1:
            context.on_text(context.decode(rows[0].token_ids))
        unfinished = [index for index, row in enumerate(active) if not row.ended]
        if not unfinished or step + 1 == limit:
            return
        # Selecting rows copies the whole cache: worth it only once a quarter of the batch has ended.
        if len(unfinished) <= 0.75 * len(active):
            keep = torch.tensor(unfinished, device=model.device)
            for layer in batch.cache.layers:
                layer.keys, layer.values = layer.keys.index_select(0, keep), layer.values.index_select(0, keep)
            key_mask, positions = key_mask.index_select(0, keep), positions.index_select(0, keep)
            active, chosen = [active[index] for index in unfinished], [chosen[index] for index in unfinished]
        length += 1
        hidden = model.get_decoder()(
            input_ids=torch.tensor(chosen, device=model.device)[:, None], position_ids=positions[:, None],
            attention_mask=key_mask[:, None, None, :length], past_key_values=batch.cache, use_cache=True,
        ).last_hidden_state[:, -1]
        positions = positions + 1


def _choose_next_tokens(context: DecodingContext, logits: Tensor, rows: Sequence[_ActiveSequence]) -> list[int]:
    """Return the token of each row with the greatest logit that its grammar allows."""
    best: list[int] = logits.argmax(-1).tolist()
    for index, row in enumerate(rows):
        if row.grammar is not None and not row.ended:
            best[index] = row.grammar.choose_token(logits[index], best[index])
    return best


class PreallocatedCacheLayer(DynamicLayer):  # type: ignore[misc]
    """Keys and values of one layer, (rows, heads, room, width), filled up to `length`.

    Memory is allocated once: a decoding step writes only the keys and values of its own tokens.
    """

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
