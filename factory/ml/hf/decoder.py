"""A causal language model that answers by transformers' own `generate`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import GenerationConfig, LogitsProcessorList
from transformers.generation.streamers import BaseStreamer

from factory.api import Generation, Grammar, Reporter
from factory.api.causal_lm.transformers_answers import build_grammar_processor
from factory.ml.chat_model import ChatModel
from factory.ml.encoder import iterate_chunks
from factory.ml.hf.padded_batches import forward_causal
from factory.ml.sampling import add_gumbel_noise
from factory.ml.text_batch import Ids, pad_token_ids

MAX_BATCH_ROWS = 16
MAX_BATCH_TOKENS = 8192
"""Maximum rows and padded tokens of a batch to generate from."""
MAX_SCORED_TOKENS = 2048
"""Maximum padded tokens of a batch to score: each has a logit for every word of the vocabulary."""


class _TextStreamer(BaseStreamer):  # type: ignore[misc]
    """Passes the text so far of a single answer to `on_text`."""

    def __init__(self, decoder: PlainDecoder) -> None:
        self.decoder, self.ids = decoder, list[int]()
        self.prompt_seen = False

    def put(self, value: Tensor) -> None:
        """Take the prompt first, then each token."""
        if self.prompt_seen and self.decoder.on_text is not None:
            self.ids += value.flatten().tolist()
            self.decoder.on_text(self.decoder.decode_ids(self.ids))
        self.prompt_seen = True

    def end(self) -> None:
        """Do nothing: every token was passed on."""


@dataclass(frozen=True, slots=True)
class PlainDecoder(ChatModel):
    """A causal model with transformers' own attention, cache and decoding loop."""

    def generate_texts(
        self, prompts: Ids, limit: int, grammars: Sequence[Grammar | None] = (), report: Reporter | None = None,
        *, temperature: float = 0.0, seeds: Sequence[int] = (),
    ) -> list[Generation]:
        generated: list[list[int]] = [[] for _ in prompts]
        for chunk in iterate_chunks(list(map(len, prompts)), MAX_BATCH_TOKENS, report, "answers", MAX_BATCH_ROWS):
            own = [grammars[index] for index in chunk] if grammars else []
            drawn = [seeds[index] for index in chunk] if temperature > 0 else []
            rows = self._generate_batch([prompts[index] for index in chunk], limit, own, temperature, drawn)
            for index, ids in zip(chunk, rows, strict=True):
                generated[index] = ids
        return [Generation(self.decode_ids(ids), len(ids), len(ids) < limit) for ids in generated]

    def _generate_batch(
        self, prompts: Ids, limit: int, grammars: Sequence[Grammar | None], temperature: float, seeds: Sequence[int]
    ) -> list[list[int]]:
        """Return the ids of each answer without its end id; padding is on the left."""
        ends, longest = self.find_end_ids(), max(map(len, prompts))
        padding, device = [longest - len(prompt) for prompt in prompts], self.model.device
        tokens = torch.tensor([[0] * size + list(ids) for size, ids in zip(padding, prompts, strict=True)])
        mask = (torch.arange(longest) >= torch.tensor(padding)[:, None]).long()
        processors = LogitsProcessorList()
        if temperature > 0:
            processors.append(_build_sampler(temperature, seeds, longest))
        if any(grammars):
            processors.append(build_grammar_processor(self.tokenizer, grammars, longest, ends))
        end = min(ends)
        sequences = self.model.generate(
            input_ids=tokens.to(device), attention_mask=mask.to(device), logits_processor=processors,
            generation_config=GenerationConfig(
                max_new_tokens=limit, do_sample=False, eos_token_id=sorted(ends), pad_token_id=end
            ),
            streamer=_TextStreamer(self) if self.on_text is not None and len(prompts) == 1 else None,
        )
        return [_cut_at_end(ids, ends) for ids in sequences[:, longest:].tolist()]

    @torch.inference_mode()
    def compute_token_logprobs(
        self, prompts: Ids, answers: Sequence[Ids], report: Reporter | None = None
    ) -> list[list[list[float]]]:
        pairs = [(row, answer) for row, own in enumerate(answers) for answer in own]
        texts = [[*prompts[row], *answer] for row, answer in pairs]
        scored: list[list[float]] = [[]] * len(pairs)
        for chunk in iterate_chunks(list(map(len, texts)), MAX_SCORED_TOKENS, report, "answers", MAX_BATCH_ROWS):
            tokens, mask = (part.to(self.model.device) for part in pad_token_ids([texts[index] for index in chunk]))
            starts = [len(prompts[pairs[index][0]]) for index in chunk]
            first = min(starts) - 1
            table = forward_causal(self.model, tokens, mask, first)
            for row, (index, start) in enumerate(zip(chunk, starts, strict=True)):
                answer = pairs[index][1]
                rows = table[row, start - 1 - first : start - 1 - first + len(answer)].float().log_softmax(-1)
                scored[index] = rows[range(len(answer)), list(answer)].tolist()
        remaining = iter(scored)
        return [[next(remaining) for _ in own] for own in answers]


def _build_sampler(temperature: float, seeds: Sequence[int], start: int) -> Any:
    """Return a logits processor that turns the argmax into a sample, with one seed per row."""

    def process(ids: Tensor, scores: Tensor) -> Tensor:
        return add_gumbel_noise(scores, [(seed, ids.shape[1] - start) for seed in seeds], temperature)

    return process


def _cut_at_end(ids: list[int], ends: frozenset[int]) -> list[int]:
    """Return the ids before the first end id."""
    return ids[: next((place for place, token in enumerate(ids) if token in ends), len(ids))]
