"""Decoding of many prompts, greedy or sampled: what they share is read once, rows of like length go together, and a row
that has ended soon makes room.
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
"""Rows that are decoded together, and padded tokens that they may begin with."""
MIN_SHARED_PREFIX = 16
"""A shared beginning of fewer tokens is not worth reading apart."""
MIN_P, MIN_P_PENALTY = 0.05, 1e4
"""A token is drawn when it is at least so likely beside the likeliest; the others stand so far behind."""
GUIDED_TOP_K = (16, 96)
"""How many of the likeliest tokens a guide is asked about, before the answer is ended for it."""


@dataclass(frozen=True, slots=True)
class DecodingContext:
    """A causal model, the ids that end an answer, how ids become text, and the ids that are no text at all."""

    model: Any
    end_ids: frozenset[int]
    decode: Callable[[list[int]], str]
    special_ids: frozenset[int] = frozenset()
    on_text: Callable[[str], None] | None = None
    """Is told what one answer alone says so far, token after token."""


@dataclass
class _ActiveSequence:
    """One answer on its way: which prompt it continues, what it says so far, what it may say."""

    prompt_index: int
    guide: Guide | None
    token_ids: list[int]
    ended: bool = False
    generator: torch.Generator | None = None


@torch.inference_mode()
def generate_token_ids(
    reader: DecodingContext, prompts: Ids, limit: int, guides: Sequence[Guide | None] = (),
    report: Reporter | None = None,
    *, temperature: float = 0.0, seeds: Sequence[int] = (),
) -> list[list[int]]:
    """The continuation of each prompt, without the id that ends it; one of `limit` ids was cut off.

    It is the greedy one, or with a temperature above 0 one that is drawn, from a seed for each prompt.
    """
    found: list[list[int]] = [[] for _ in prompts]
    prefix = find_shared_prefix(reader.model, prompts)
    read = prefill_prefix(reader.model, prefix)
    rest = [prompt[len(prefix) :] for prompt in prompts]
    done = 0
    for chunk in batch_by_length([len(each) for each in rest]):
        rows = [_ActiveSequence(index, guides[index] if guides else None, []) for index in chunk]
        if temperature > 0:
            for row in rows:
                row.generator = torch.Generator().manual_seed(seeds[row.prompt_index])
        with use_prefix_key_values(read):
            _decode_batch(reader, len(prefix), [rest[index] for index in chunk], rows, limit, temperature)
        for row in rows:
            found[row.prompt_index] = row.token_ids
        done += len(chunk)
        if report is not None:
            report.report_progress(done, len(prompts), "answers")
    return found


def find_shared_prefix(model: Any, prompts: Ids) -> Sequence[int]:
    """The ids with which all prompts begin, where reading them apart is worth it; each keeps one id of its own."""
    if len(prompts) < 2 or model.config._attn_implementation != CAUSAL_ATTENTION:
        return ()
    low, high = min(map(list, prompts)), max(map(list, prompts))
    most = min(min(map(len, prompts)) - 1, len(low))
    same = next((place for place in range(most) if low[place] != high[place]), most)
    return low[:same] if same >= MIN_SHARED_PREFIX else ()


def prefill_prefix(model: Any, prefix: Sequence[int]) -> Sequence[LayerKeyValues] | None:
    """What a model makes of a shared beginning, layer by layer."""
    if not prefix:
        return None
    cache = allocate_kv_cache(model, 1, len(prefix))
    model.get_decoder()(input_ids=torch.tensor([list(prefix)], device=model.device), past_key_values=cache,
                        use_cache=True, attention_mask=_build_causal_mask(len(prefix), model))
    return [(layer.keys, layer.values) for layer in cache.layers]


def batch_by_length(
    lengths: Sequence[int], tokens: int = MAX_BATCH_TOKENS, rows: int = MAX_BATCH_ROWS
) -> list[list[int]]:
    """Indices of prompts that are read together, of like length."""
    found = [part[at : at + rows] for part in chunk_by_length(lengths, tokens) for at in range(0, len(part), rows)]
    return found


@dataclass(frozen=True, slots=True)
class PrefilledBatch:
    """A batch of prompts that was read: the cache, which of its keys each row may see (rows, keys) as an additive
    mask, the position of the next token of each row, and the last token's vectors (rows, hidden)."""

    cache: Cache
    key_mask: Tensor
    positions: Tensor
    last_hidden: Tensor


def prefill_batch(model: Any, past: int, prompts: Ids, room: int) -> PrefilledBatch:
    """Read a batch, padded on the left, after so many tokens that were read once."""
    rows, width = len(prompts), max(map(len, prompts))
    lead = torch.tensor([width - len(each) for each in prompts])
    tokens = torch.tensor([[0] * (width - len(each)) + list(each) for each in prompts])
    seen = torch.zeros(rows, past + width + room)
    seen[:, past : past + width].masked_fill_(torch.arange(width) < lead[:, None], MASKED_SCORE)
    later = torch.zeros(width, past + width)
    later[:, past:].masked_fill_(torch.ones(width, width, dtype=torch.bool).triu(1), MASKED_SCORE)
    mask = (seen[:, None, None, : past + width] + later).clamp_(min=MASKED_SCORE)
    positions = (past + torch.arange(width) - lead[:, None]).clamp(min=0)
    cache = allocate_kv_cache(model, rows, width + room)
    hidden = model.get_decoder()(
        input_ids=tokens.to(model.device), attention_mask=mask.to(model.device, model.dtype),
        position_ids=positions.to(model.device), past_key_values=cache, use_cache=True,
    ).last_hidden_state
    return PrefilledBatch(
        cache, seen.to(model.device, model.dtype), positions[:, -1].to(model.device) + 1, hidden[:, -1]
    )


def _decode_batch(
    reader: DecodingContext, past: int, prompts: Ids, rows: list[_ActiveSequence], limit: int, temperature: float
) -> None:
    """Let every row speak to its end."""
    model, head = reader.model, reader.model.get_output_embeddings()
    begun = prefill_batch(model, past, prompts, limit)
    seen, positions, hidden = begun.key_mask, begun.positions, begun.last_hidden
    alive, length = rows, past + max(map(len, prompts))
    for step in range(limit):
        chosen = _choose_next_tokens(reader, _add_gumbel_noise(head(hidden), alive, temperature), alive)
        for row, token in zip(alive, chosen, strict=True):
            row.ended = row.ended or token in reader.end_ids
            if not row.ended:
                row.token_ids.append(token)
        if reader.on_text is not None and len(rows) == 1:
            reader.on_text(reader.decode(rows[0].token_ids))
        on = [place for place, row in enumerate(alive) if not row.ended]
        if not on or step + 1 == limit:
            return
        if len(on) <= 0.75 * len(alive):
            keep = torch.tensor(on, device=model.device)
            select_cache_rows(begun.cache, keep)
            seen, positions = seen.index_select(0, keep), positions.index_select(0, keep)
            alive, chosen = [alive[place] for place in on], [chosen[place] for place in on]
        length += 1
        hidden = model.get_decoder()(
            input_ids=torch.tensor(chosen, device=model.device)[:, None], position_ids=positions[:, None],
            attention_mask=seen[:, None, None, :length], past_key_values=begun.cache, use_cache=True,
        ).last_hidden_state[:, -1]
        positions = positions + 1


def _add_gumbel_noise(logits: Tensor, rows: Sequence[_ActiveSequence], temperature: float) -> Tensor:
    """Logits whose greatest is a draw from what they say (the Gumbel-max trick), so that a guide, which takes the
    greatest that it allows, draws from what is allowed. What is hardly likely comes after all that is: min-p
    (Nguyen et al. 2024, arXiv:2407.01082), without which a small model's long tail makes nonsense of its texts.
    """
    if temperature <= 0:
        return logits
    noise = torch.stack([torch.empty(logits.shape[-1]).exponential_(generator=row.generator).log_() for row in rows])
    scaled = logits.float() / temperature
    rare = scaled < scaled.amax(-1, keepdim=True) + math.log(MIN_P)
    return scaled - noise.to(logits.device) - rare * MIN_P_PENALTY


def _choose_next_tokens(reader: DecodingContext, logits: Tensor, rows: Sequence[_ActiveSequence]) -> list[int]:
    """The token of each row with the greatest logit that its guide allows."""
    best: list[int] = logits.argmax(-1).tolist()
    for place, row in enumerate(rows):
        if row.guide is not None and not row.ended:
            best[place] = find_allowed_token(reader, logits[place], row.token_ids, row.guide, best[place])
    return best


def find_allowed_token(reader: DecodingContext, logits: Tensor, said: list[int], guide: Guide, best: int) -> int:
    """The likeliest token after what was said that a guide allows; the end, when it allows none that is likely."""
    if _is_token_allowed(reader, said, best, guide):
        return best
    tried = 1
    for many in GUIDED_TOP_K:
        for token in torch.topk(logits, min(many, len(logits))).indices[tried:].tolist():
            if _is_token_allowed(reader, said, token, guide):
                return int(token)
        tried = many
    return min(reader.end_ids)


def _is_token_allowed(reader: DecodingContext, said: list[int], token: int, guide: Guide) -> bool:
    if token in reader.end_ids:
        return guide(reader.decode(said), True)
    return token not in reader.special_ids and guide(reader.decode([*said, token]), False)


def _build_causal_mask(width: int, model: Any) -> Tensor:
    """The causal mask of one row: (1, 1, width, width)."""
    later = torch.ones(width, width, dtype=torch.bool).triu(1)
    return torch.zeros(width, width).masked_fill_(later, MASKED_SCORE)[None, None].to(model.device, model.dtype)
