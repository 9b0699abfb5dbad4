"""Batched decoding, greedy or sampled.

A prefix that all prompts share is computed once, prompts of similar length share a batch, and finished rows leave it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import Cache

from factory.api import Guide, Reporter
from factory.ml.cpu.encoder import chunk_by_length
from factory.ml.cpu.kv_cache import allocate_kv_cache, select_cache_rows
from factory.ml.cpu.packed_attention import CAUSAL_ATTENTION, MASKED_SCORE, LayerKeyValues, use_prefix_key_values

Ids = Sequence[Sequence[int]]
MAX_BATCH_ROWS = 48
MAX_BATCH_TOKENS = 12_288
"""Maximum rows and padded prompt tokens of a decoding batch."""
MIN_SHARED_PREFIX = 16
"""Shorter shared prefixes are not worth a forward pass of their own."""
MIN_P, MIN_P_PENALTY = 0.05, 1e4
"""min-p: tokens below 5 % of the top probability get MIN_P_PENALTY subtracted from their logits."""
GUIDED_TOP_K = (16, 96)
"""Numbers of top tokens that are checked against a guide before the answer is ended."""


@dataclass(frozen=True, slots=True)
class DecodingContext:
    """A causal model, the ids that end an answer, the function that decodes ids, and the special ids."""

    model: Any
    end_ids: frozenset[int]
    decode: Callable[[list[int]], str]
    special_ids: frozenset[int] = frozenset()
    on_text: Callable[[str], None] | None = None
    """Called with the text so far after every token when there is a single prompt."""


@dataclass
class _ActiveSequence:
    """An unfinished answer: its prompt, its tokens so far, and its guide and random generator if any."""

    prompt_index: int
    guide: Guide | None
    token_ids: list[int]
    ended: bool = False
    generator: torch.Generator | None = None


@torch.inference_mode()
def generate_token_ids(
    context: DecodingContext, prompts: Ids, limit: int, guides: Sequence[Guide | None] = (),
    report: Reporter | None = None,
    *, temperature: float = 0.0, seeds: Sequence[int] = (),
) -> list[list[int]]:
    """Generate up to `limit` ids for each prompt, without the end id; an answer of `limit` ids was cut off.

    Greedy at temperature 0, else sampled with one seed per prompt.
    """
    generated: list[list[int]] = [[] for _ in prompts]
    prefix = find_shared_prefix(context.model, prompts)
    prefix_key_values = prefill_prefix(context.model, prefix)
    suffixes = [prompt[len(prefix) :] for prompt in prompts]
    done = 0
    for chunk in batch_by_length([len(suffix) for suffix in suffixes]):
        rows = [_ActiveSequence(index, guides[index] if guides else None, []) for index in chunk]
        if temperature > 0:
            for row in rows:
                row.generator = torch.Generator().manual_seed(seeds[row.prompt_index])
        with use_prefix_key_values(prefix_key_values):
            _decode_batch(context, len(prefix), [suffixes[index] for index in chunk], rows, limit, temperature)
        for row in rows:
            generated[row.prompt_index] = row.token_ids
        done += len(chunk)
        if report is not None:
            report.report_progress(done, len(prompts), "answers")
    return generated


def find_shared_prefix(model: Any, prompts: Ids) -> Sequence[int]:
    """Return the prefix that all prompts share, if it is long enough; each prompt keeps at least one id of its own."""
    if len(prompts) < 2 or model.config._attn_implementation != CAUSAL_ATTENTION:
        return ()
    # The common prefix of all prompts is that of the first and the last in lexicographic order.
    low, high = min(map(list, prompts)), max(map(list, prompts))
    limit = min(min(map(len, prompts)) - 1, len(low))
    shared = next((index for index in range(limit) if low[index] != high[index]), limit)
    return low[:shared] if shared >= MIN_SHARED_PREFIX else ()


def prefill_prefix(model: Any, prefix: Sequence[int]) -> Sequence[LayerKeyValues] | None:
    """Return the keys and values of a shared prefix, layer by layer; None for an empty one."""
    if not prefix:
        return None
    cache = allocate_kv_cache(model, 1, len(prefix))
    model.get_decoder()(input_ids=torch.tensor([list(prefix)], device=model.device), past_key_values=cache,
                        use_cache=True, attention_mask=_build_causal_mask(len(prefix), model))
    return [(layer.keys, layer.values) for layer in cache.layers]


def batch_by_length(
    lengths: Sequence[int], tokens: int = MAX_BATCH_TOKENS, rows: int = MAX_BATCH_ROWS
) -> list[list[int]]:
    """Return batches of indices of similar length, of at most `rows` rows and `tokens` padded tokens."""
    chunks = chunk_by_length(lengths, tokens)
    return [chunk[start : start + rows] for chunk in chunks for start in range(0, len(chunk), rows)]


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
    rows, width = len(prompts), max(map(len, prompts))
    padding = torch.tensor([width - len(prompt) for prompt in prompts])
    tokens = torch.tensor([[0] * (width - len(prompt)) + list(prompt) for prompt in prompts])
    # Left padding ends all prompts in one column, so that each step appends one column for all rows.
    key_mask = torch.zeros(rows, past + width + room)
    key_mask[:, past : past + width].masked_fill_(torch.arange(width) < padding[:, None], MASKED_SCORE)
    causal = torch.zeros(width, past + width)
    causal[:, past:].masked_fill_(torch.ones(width, width, dtype=torch.bool).triu(1), MASKED_SCORE)
    mask = (key_mask[:, None, None, : past + width] + causal).clamp_(min=MASKED_SCORE)
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
        chosen = _choose_next_tokens(context, _add_gumbel_noise(head(hidden), active, temperature), active)
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
            select_cache_rows(batch.cache, keep)
            key_mask, positions = key_mask.index_select(0, keep), positions.index_select(0, keep)
            active, chosen = [active[index] for index in unfinished], [chosen[index] for index in unfinished]
        length += 1
        hidden = model.get_decoder()(
            input_ids=torch.tensor(chosen, device=model.device)[:, None], position_ids=positions[:, None],
            attention_mask=key_mask[:, None, None, :length], past_key_values=batch.cache, use_cache=True,
        ).last_hidden_state[:, -1]
        positions = positions + 1


def _add_gumbel_noise(logits: Tensor, rows: Sequence[_ActiveSequence], temperature: float) -> Tensor:
    """Return logits whose argmax is a sample of the distribution (the Gumbel-max trick).

    A guide, which takes the greatest allowed logit, thereby samples among allowed tokens. min-p (Nguyen et al. 2024,
    arXiv:2407.01082) ranks unlikely tokens last: the long tail of a small model would make its texts incoherent.
    """
    if temperature <= 0:
        return logits
    noise = torch.stack([torch.empty(logits.shape[-1]).exponential_(generator=row.generator).log_() for row in rows])
    scaled = logits.float() / temperature
    rare = scaled < scaled.amax(-1, keepdim=True) + math.log(MIN_P)
    return scaled - noise.to(logits.device) - rare * MIN_P_PENALTY


def _choose_next_tokens(context: DecodingContext, logits: Tensor, rows: Sequence[_ActiveSequence]) -> list[int]:
    """Return the token of each row with the greatest logit that its guide allows."""
    best: list[int] = logits.argmax(-1).tolist()
    for index, row in enumerate(rows):
        if row.guide is not None and not row.ended:
            best[index] = find_allowed_token(context, logits[index], row.token_ids, row.guide, best[index])
    return best


def find_allowed_token(context: DecodingContext, logits: Tensor, ids: list[int], guide: Guide, best: int) -> int:
    """Return the most likely token after `ids` that a guide allows; an end id when it allows no likely one."""
    if _is_token_allowed(context, ids, best, guide):
        return best
    checked = 1
    for k in GUIDED_TOP_K:
        for token in torch.topk(logits, min(k, len(logits))).indices[checked:].tolist():
            if _is_token_allowed(context, ids, token, guide):
                return int(token)
        checked = k
    return min(context.end_ids)


def _is_token_allowed(context: DecodingContext, ids: list[int], token: int, guide: Guide) -> bool:
    if token in context.end_ids:
        return guide(context.decode(ids), True)
    return token not in context.special_ids and guide(context.decode([*ids, token]), False)


def _build_causal_mask(width: int, model: Any) -> Tensor:
    """Return the additive causal mask of one row: (1, 1, width, width)."""
    future = torch.ones(width, width, dtype=torch.bool).triu(1)
    return torch.zeros(width, width).masked_fill_(future, MASKED_SCORE)[None, None].to(model.device, model.dtype)
