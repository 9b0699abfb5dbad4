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
from factory.ml.cache import kept, roomy
from factory.ml.causal import BARRED, NAME, Read, after
from factory.ml.encoder import chunks

Ids = Sequence[Sequence[int]]
ROWS = 48
TOKENS = 12_288
"""Rows that are decoded together, and padded tokens that they may begin with."""
WORTH = 16
"""A shared beginning of fewer tokens is not worth reading apart."""
LEAST, FAR = 0.05, 1e4
"""A token is drawn when it is at least so likely beside the likeliest; the others stand so far behind."""
TRIED = (16, 96)
"""How many of the likeliest tokens a guide is asked about, before the answer is ended for it."""


@dataclass(frozen=True, slots=True)
class Reader:
    """A causal model, the ids that end an answer, how ids become text, and the ids that are no text at all."""

    model: Any
    ends: frozenset[int]
    text: Callable[[list[int]], str]
    mute: frozenset[int] = frozenset()
    heard: Callable[[str], None] | None = None
    """Is told what one answer alone says so far, token after token."""


@dataclass
class _Row:
    """One answer on its way: which prompt it continues, what it says so far, what it may say."""

    prompt: int
    guide: Guide | None
    said: list[int]
    ended: bool = False
    draw: torch.Generator | None = None


@torch.inference_mode()
def write(
    reader: Reader, prompts: Ids, limit: int, guides: Sequence[Guide | None] = (), report: Reporter | None = None,
    *, temperature: float = 0.0, seeds: Sequence[int] = (),
) -> list[list[int]]:
    """The continuation of each prompt, without the id that ends it; one of `limit` ids was cut off.

    It is the greedy one, or with a temperature above 0 one that is drawn, from a seed for each prompt.
    """
    found: list[list[int]] = [[] for _ in prompts]
    prefix = shared(reader.model, prompts)
    read = first(reader.model, prefix)
    rest = [prompt[len(prefix) :] for prompt in prompts]
    done = 0
    for chunk in batches([len(each) for each in rest]):
        rows = [_Row(index, guides[index] if guides else None, []) for index in chunk]
        if temperature > 0:
            for row in rows:
                row.draw = torch.Generator().manual_seed(seeds[row.prompt])
        with after(read):
            _continue(reader, len(prefix), [rest[index] for index in chunk], rows, limit, temperature)
        for row in rows:
            found[row.prompt] = row.said
        done += len(chunk)
        if report is not None:
            report.report_progress(done, len(prompts), "answers")
    return found


def shared(model: Any, prompts: Ids) -> Sequence[int]:
    """The ids with which all prompts begin, where reading them apart is worth it; each keeps one id of its own."""
    if len(prompts) < 2 or model.config._attn_implementation != NAME:
        return ()
    low, high = min(map(list, prompts)), max(map(list, prompts))
    most = min(min(map(len, prompts)) - 1, len(low))
    same = next((place for place in range(most) if low[place] != high[place]), most)
    return low[:same] if same >= WORTH else ()


def first(model: Any, prefix: Sequence[int]) -> Sequence[Read] | None:
    """What a model makes of a shared beginning, layer by layer."""
    if not prefix:
        return None
    cache = roomy(model, 1, len(prefix))
    model.get_decoder()(input_ids=torch.tensor([list(prefix)], device=model.device), past_key_values=cache,
                        use_cache=True, attention_mask=_triangle(len(prefix), model))
    return [(layer.keys, layer.values) for layer in cache.layers]


def batches(lengths: Sequence[int], tokens: int = TOKENS, rows: int = ROWS) -> list[list[int]]:
    """Indices of prompts that are read together, of like length."""
    found = [part[at : at + rows] for part in chunks(lengths, tokens) for at in range(0, len(part), rows)]
    return found


@dataclass(frozen=True, slots=True)
class Begun:
    """A batch of prompts that was read: the cache, which of its keys each row may see (rows, keys) as an additive
    mask, the position of the next token of each row, and the last token's vectors (rows, hidden)."""

    cache: Cache
    seen: Tensor
    positions: Tensor
    last: Tensor


def begin(model: Any, past: int, prompts: Ids, room: int) -> Begun:
    """Read a batch, padded on the left, after so many tokens that were read once."""
    rows, width = len(prompts), max(map(len, prompts))
    lead = torch.tensor([width - len(each) for each in prompts])
    tokens = torch.tensor([[0] * (width - len(each)) + list(each) for each in prompts])
    seen = torch.zeros(rows, past + width + room)
    seen[:, past : past + width].masked_fill_(torch.arange(width) < lead[:, None], BARRED)
    later = torch.zeros(width, past + width)
    later[:, past:].masked_fill_(torch.ones(width, width, dtype=torch.bool).triu(1), BARRED)
    mask = (seen[:, None, None, : past + width] + later).clamp_(min=BARRED)
    positions = (past + torch.arange(width) - lead[:, None]).clamp(min=0)
    cache = roomy(model, rows, width + room)
    hidden = model.get_decoder()(
        input_ids=tokens.to(model.device), attention_mask=mask.to(model.device, model.dtype),
        position_ids=positions.to(model.device), past_key_values=cache, use_cache=True,
    ).last_hidden_state
    return Begun(cache, seen.to(model.device, model.dtype), positions[:, -1].to(model.device) + 1, hidden[:, -1])


def _continue(reader: Reader, past: int, prompts: Ids, rows: list[_Row], limit: int, temperature: float) -> None:
    """Let every row speak to its end."""
    model, head = reader.model, reader.model.get_output_embeddings()
    begun = begin(model, past, prompts, limit)
    seen, positions, hidden = begun.seen, begun.positions, begun.last
    alive, length = rows, past + max(map(len, prompts))
    for step in range(limit):
        chosen = _choose(reader, _perturbed(head(hidden), alive, temperature), alive)
        for row, token in zip(alive, chosen, strict=True):
            row.ended = row.ended or token in reader.ends
            if not row.ended:
                row.said.append(token)
        if reader.heard is not None and len(rows) == 1:
            reader.heard(reader.text(rows[0].said))
        on = [place for place, row in enumerate(alive) if not row.ended]
        if not on or step + 1 == limit:
            return
        if len(on) <= 0.75 * len(alive):
            keep = torch.tensor(on, device=model.device)
            kept(begun.cache, keep)
            seen, positions = seen.index_select(0, keep), positions.index_select(0, keep)
            alive, chosen = [alive[place] for place in on], [chosen[place] for place in on]
        length += 1
        hidden = model.get_decoder()(
            input_ids=torch.tensor(chosen, device=model.device)[:, None], position_ids=positions[:, None],
            attention_mask=seen[:, None, None, :length], past_key_values=begun.cache, use_cache=True,
        ).last_hidden_state[:, -1]
        positions = positions + 1


def _perturbed(logits: Tensor, rows: Sequence[_Row], temperature: float) -> Tensor:
    """Logits whose greatest is a draw from what they say (the Gumbel-max trick), so that a guide, which takes the
    greatest that it allows, draws from what is allowed. What is hardly likely comes after all that is: min-p
    (Nguyen et al. 2024, arXiv:2407.01082), without which a small model's long tail makes nonsense of its texts.
    """
    if temperature <= 0:
        return logits
    noise = torch.stack([torch.empty(logits.shape[-1]).exponential_(generator=row.draw).log_() for row in rows])
    scaled = logits.float() / temperature
    rare = scaled < scaled.amax(-1, keepdim=True) + math.log(LEAST)
    return scaled - noise.to(logits.device) - rare * FAR


def _choose(reader: Reader, logits: Tensor, rows: Sequence[_Row]) -> list[int]:
    """The token of each row with the greatest logit that its guide allows."""
    best: list[int] = logits.argmax(-1).tolist()
    for place, row in enumerate(rows):
        if row.guide is not None and not row.ended:
            best[place] = allowed(reader, logits[place], row.said, row.guide, best[place])
    return best


def allowed(reader: Reader, logits: Tensor, said: list[int], guide: Guide, best: int) -> int:
    """The likeliest token after what was said that a guide allows; the end, when it allows none that is likely."""
    if _may(reader, said, best, guide):
        return best
    tried = 1
    for many in TRIED:
        for token in torch.topk(logits, min(many, len(logits))).indices[tried:].tolist():
            if _may(reader, said, token, guide):
                return int(token)
        tried = many
    return min(reader.ends)


def _may(reader: Reader, said: list[int], token: int, guide: Guide) -> bool:
    if token in reader.ends:
        return guide(reader.text(said), True)
    return token not in reader.mute and guide(reader.text([*said, token]), False)


def _triangle(width: int, model: Any) -> Tensor:
    """The causal mask of one row: (1, 1, width, width)."""
    later = torch.ones(width, width, dtype=torch.bool).triu(1)
    return torch.zeros(width, width).masked_fill_(later, BARRED)[None, None].to(model.device, model.dtype)
