"""Batched decoding, greedy or sampled, with a preallocated key-value cache.

A prefix that all prompts share is computed once, prompts of similar length share a batch, and finished rows leave it.
Tokens that a grammar forces need no choice: the model reads them together with the token before them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from transformers import Cache

from factory.api import Reporter
from factory.api.grammar import GrammarState
from factory.ml.cpu import packed_attention
from factory.ml.cpu.kv_cache import allocate_kv_cache, set_cached_length, view_cache_rows
from factory.ml.encoder import MAX_CHUNK_TOKENS, iterate_chunks
from factory.ml.sampling import add_gumbel_noise
from factory.ml.text_batch import Ids

MAX_BATCH_ROWS = 48
MAX_BATCH_TOKENS = 12_288
"""Maximum rows and padded prompt tokens of a decoding batch."""
MIN_SHARED_PREFIX = 16
"""Shorter shared prefixes are not worth a forward pass of their own."""
FORWARD_PASS_TOKENS = 48
"""A forward pass costs about as much as reading this many more tokens: it reads all weights in any case."""


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
    """An unfinished answer: its prompt, the state of its grammar if any, its seed, and its tokens so far.

    The model has yet to read the last `unread` of them.
    """

    prompt_index: int
    grammar: GrammarState | None
    seed: int
    token_ids: list[int] = field(default_factory=list)
    unread: int = 0
    ended: bool = False

    def append_tokens(self, chosen: Sequence[int], limit: int) -> None:
        """Append a chosen token, if any, and those that the grammar then forces, up to `limit` in all."""
        forced = self.grammar.take_forced_tokens() if self.grammar is not None else ()
        tokens = [*chosen, *forced][: limit - len(self.token_ids)]
        self.token_ids += tokens
        self.unread += len(tokens)
        self.ended = len(self.token_ids) == limit or (self.grammar is not None and self.grammar.is_complete)


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
        states = [grammars[index] if grammars else None for index in chunk]
        rows = list(map(_ActiveSequence, chunk, states, [seeds[index] if seeds else 0 for index in chunk]))
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
    return [(layer.keys, layer.values) for layer in prefill_batch(model, 0, [prefix], 0).cache.layers]


@dataclass(frozen=True, slots=True)
class PrefilledBatch:
    """A batch of prompts after its forward pass: the KV cache, the additive mask of its keys (rows, keys), the position
    of each row's next token, and the hidden states of each row's last token (rows, hidden)."""

    cache: Cache
    key_mask: Tensor
    positions: Tensor
    last_hidden: Tensor


def prefill_batch(model: Any, past: int, prompts: Ids, room: int) -> PrefilledBatch:
    """Read prompts after a shared prefix of `past` tokens; leave room for `room` more tokens per row.

    Left padding ends all prompts in one column. Few are read at a time: their activations then fit the CPU cache.
    """
    width = max(map(len, prompts))
    lengths = torch.tensor(list(map(len, prompts)), device=model.device)
    padding = torch.arange(width, device=model.device) < width - lengths[:, None]
    key_mask = torch.zeros(len(prompts), past + width + room, dtype=model.dtype, device=model.device)
    key_mask[:, past : past + width].masked_fill_(padding, packed_attention.MASKED_SCORE)
    cache = allocate_kv_cache(model, len(prompts), width + room)
    hidden = []
    for rows in _split_rows(lengths.tolist()):
        # Columns in which all of these rows are padding are skipped.
        skip = width - int(lengths[rows].max())
        tokens = torch.tensor([[0] * (width - skip - len(prompt)) + list(prompt) for prompt in prompts[rows]])
        mask = torch.cat([key_mask[rows, :past], key_mask[rows, past + skip : past + width]], 1)
        positions = (past + torch.arange(skip, width, device=model.device) + (lengths[rows, None] - width)).clamp(min=0)
        part = view_cache_rows(cache, rows, skip)
        hidden.append(_read_tokens(model, part, tokens.to(model.device), positions, mask)[:, -1])
    set_cached_length(cache, width)
    return PrefilledBatch(cache, key_mask, past + lengths, torch.cat(hidden))


def _split_rows(lengths: Sequence[int]) -> Iterator[slice]:
    """Yield slices of rows that have at most MAX_CHUNK_TOKENS tokens when padded, or are one row."""
    start, longest = 0, 0
    for row, length in enumerate(lengths):
        longest = max(longest, length)
        if row > start and (row + 1 - start) * longest > MAX_CHUNK_TOKENS:
            yield slice(start, row)
            start, longest = row, length
    yield slice(start, len(lengths))


def _read_tokens(model: Any, cache: Cache, tokens: Tensor, positions: Tensor, key_mask: Tensor) -> Tensor:
    """Return the last hidden states of new tokens (rows, columns), under the mask of all keys, theirs included."""
    columns = tokens.shape[1]
    mask = key_mask[:, None, None]
    if columns > 1:
        causal = packed_attention.build_causal_mask(columns, key_mask.shape[1] - columns, model.dtype, model.device)
        mask = (mask + causal).clamp_(min=packed_attention.MASKED_SCORE)
    hidden: Tensor = model.get_decoder()(
        input_ids=tokens, position_ids=positions, attention_mask=mask, past_key_values=cache, use_cache=True
    ).last_hidden_state
    return hidden


class _DecodingBatch:
    """The unfinished answers of a batch, and what the model has read of them."""

    def __init__(self, model: Any, past: int, prompts: Ids, rows: list[_ActiveSequence], room: int) -> None:
        batch = prefill_batch(model, past, prompts, room)
        self.model, self.rows, self.hidden = model, rows, batch.last_hidden
        self._cache, self._key_mask, self._positions = batch.cache, batch.key_mask, batch.positions
        self._length = past + max(map(len, prompts))

    def keep_unfinished(self) -> None:
        """Drop finished rows. This copies the whole cache: it is worth it once a quarter of the batch has ended."""
        unfinished = [index for index, row in enumerate(self.rows) if not row.ended]
        if len(unfinished) <= 0.75 * len(self.rows):
            keep = torch.tensor(unfinished, device=self.model.device)
            for layer in self._cache.layers:
                layer.keep_rows(keep)
            self._key_mask, self._positions, self.hidden = (
                tensor.index_select(0, keep) for tensor in (self._key_mask, self._positions, self.hidden)
            )
            self.rows = [self.rows[index] for index in unfinished]

    def read_tokens(self) -> None:
        """Let the model read unread tokens, so many of each row as one forward pass does best.

        A row with fewer tokens has padding before them, which no later token sees.
        """
        columns = _choose_columns([row.unread for row in self.rows])
        counts = [min(row.unread, columns) for row in self.rows]
        unread = [row.token_ids[len(row.token_ids) - row.unread :][:count]
                  for row, count in zip(self.rows, counts, strict=True)]
        tokens = torch.tensor([[0] * (columns - len(ids)) + ids for ids in unread], device=self.model.device)
        read, column = torch.tensor(counts, device=self.model.device), torch.arange(columns, device=self.model.device)
        offsets = column - (columns - read[:, None])
        end = self._length + columns
        if end > self._key_mask.shape[1]:
            self._key_mask = functional.pad(self._key_mask, (0, end + end // 2 - self._key_mask.shape[1]))
        self._key_mask[:, self._length : end].masked_fill_(offsets < 0, packed_attention.MASKED_SCORE)
        positions = self._positions[:, None] + offsets.clamp(min=0)
        hidden = _read_tokens(self.model, self._cache, tokens, positions, self._key_mask[:, :end])
        self.hidden, self._positions, self._length = hidden[:, -1], self._positions + read, end
        for row, count in zip(self.rows, counts, strict=True):
            row.unread -= count


def _choose_columns(unread: Sequence[int]) -> int:
    """Return how many tokens of a row to read at most in one forward pass, for the most tokens in its time."""
    return max(range(1, max(unread) + 1), key=lambda columns: (
        sum(min(count, columns) for count in unread) / (FORWARD_PASS_TOKENS + columns * len(unread))
    ))


def _decode_batch(
    context: DecodingContext, past: int, prompts: Ids, rows: list[_ActiveSequence], limit: int, temperature: float
) -> None:
    """Decode until every sequence has ended or has `limit` tokens."""
    batch, head = _DecodingBatch(context.model, past, prompts, rows, limit), context.model.get_output_embeddings()
    for row in rows:
        row.append_tokens((), limit)
    while True:
        waiting = [index for index, row in enumerate(batch.rows) if not (row.unread or row.ended)]
        if waiting:
            active = [batch.rows[index] for index in waiting]
            hidden = batch.hidden if len(active) == len(batch.rows) else batch.hidden[waiting]
            logits = head(hidden).float()
            if temperature > 0:
                logits = add_gumbel_noise(logits, [(row.seed, len(row.token_ids)) for row in active], temperature)
            for row, token in zip(active, _choose_next_tokens(logits, active), strict=True):
                row.ended = token in context.end_ids
                if not row.ended:
                    row.append_tokens([token], limit)
        if context.on_text is not None and len(rows) == 1:
            context.on_text(context.decode(rows[0].token_ids))
        if all(row.ended for row in rows):
            return
        batch.keep_unfinished()
        batch.read_tokens()


def _choose_next_tokens(logits: Tensor, rows: Sequence[_ActiveSequence]) -> list[int]:
    """Return the token of each row with the greatest logit that its grammar allows."""
    best: list[int] = logits.argmax(-1).tolist()
    for index, row in enumerate(rows):
        if row.grammar is not None:
            best[index] = row.grammar.choose_token(logits[index], best[index])
    return best
