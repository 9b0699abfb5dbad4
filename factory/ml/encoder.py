"""A transformers encoder and its tokenizer: tokenisation, padded chunks of similar length, vectors and logits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification, AutoTokenizer

from factory.api import Reporter
from factory.ml.text_batch import Ids, pad_token_ids

MAX_CHUNK_TOKENS = 1024
"""Padded tokens of one forward pass without gradients: the activations of a small encoder then fit the CPU cache."""


@dataclass(frozen=True, slots=True)
class TransformersEncoder:
    """A transformers encoder in evaluation mode, with the tokenizer of its base."""

    model: Any
    tokenizer: Any

    def tokenize_texts(self, texts: Sequence[str], limit: int) -> list[list[int]]:
        """Return the token ids of each text with special tokens, truncated to `limit`."""
        if not texts:
            return []
        return list(self.tokenizer(list(texts), truncation=True, max_length=limit)["input_ids"])

    def tokenize_pairs(self, pairs: Sequence[tuple[str, str]], limit: int) -> list[tuple[list[int], list[int]]]:
        """Return (token ids, segment ids) of each pair, truncated to `limit` in total from the longer text first."""
        first, second = [a for a, _ in pairs], [b for _, b in pairs]
        encoded = self.tokenizer(first, second, truncation=True, max_length=limit, return_token_type_ids=True)
        return list(zip(encoded["input_ids"], encoded["token_type_ids"], strict=True))

    @torch.inference_mode()
    def compute_token_vectors(self, ids: Ids, report: Reporter | None = None) -> list[Tensor]:
        """Return the last hidden states of each text: one (tokens, hidden) tensor in fp32."""
        vectors: list[Tensor] = [torch.empty(0)] * len(ids)
        for chunk in iterate_chunks([len(text) for text in ids], MAX_CHUNK_TOKENS, report, "texts"):
            tokens, mask = self._pad_on_device([ids[index] for index in chunk])
            hidden = self.model(input_ids=tokens, attention_mask=mask).last_hidden_state.float().cpu()
            for row, index in enumerate(chunk):
                vectors[index] = hidden[row, : len(ids[index])].clone()  # a view would keep the chunk alive
        return vectors

    @torch.inference_mode()
    def compute_pair_logits(
        self, pairs: Sequence[tuple[list[int], list[int]]], report: Reporter | None = None
    ) -> Tensor:
        """Return the logits of the classification head for tokenised pairs: (pairs, labels)."""
        logits: list[Tensor] = [torch.empty(0)] * len(pairs)
        for chunk in iterate_chunks([len(ids) for ids, _ in pairs], MAX_CHUNK_TOKENS, report, "pairs"):
            tokens, mask = self._pad_on_device([pairs[index][0] for index in chunk])
            segments, _ = self._pad_on_device([pairs[index][1] for index in chunk])
            kinds = {"token_type_ids": segments} if any(any(pairs[index][1]) for index in chunk) else {}
            outputs = self.model(input_ids=tokens, attention_mask=mask, **kinds).logits.float().cpu()
            for index, output in zip(chunk, outputs, strict=True):
                logits[index] = output
        return torch.stack(logits)

    def _pad_on_device(self, ids: Ids) -> tuple[Tensor, Tensor]:
        tokens, mask = pad_token_ids(ids, find_padding_id(self.model))
        return tokens.to(self.model.device), mask.to(self.model.device)


def iterate_chunks(
    lengths: Sequence[int], tokens: int, report: Reporter | None, unit: str, max_rows: int = 10**9
) -> Iterator[list[int]]:
    """Yield the chunks of `chunk_by_length`, split into at most `max_rows` indices; report progress after each.

    The longest texts come first. What is kept of each chunk lies between the blocks of memory that it frees: larger
    blocks would not fit into these, and the process would grow by them with every chunk.
    """
    done = 0
    for chunk in reversed(list(chunk_by_length(lengths, tokens))):
        for start in reversed(range(0, len(chunk), max_rows)):
            part = chunk[start : start + max_rows]
            yield part
            done += len(part)
            if report is not None:
                report.report_progress(done, len(lengths), unit)


def chunk_by_length(lengths: Sequence[int], tokens: int) -> Iterator[list[int]]:
    """Yield chunks of indices of similar length, shortest first, of at most `tokens` tokens when padded."""
    chunk: list[int] = []
    for index in sorted(range(len(lengths)), key=lambda i: (lengths[i], i)):
        if chunk and lengths[index] * (len(chunk) + 1) > tokens:
            yield chunk
            chunk = []
        chunk.append(index)
    if chunk:
        yield chunk


def load_encoder(
    folder: Path, *, labels: int = 0, attention: str = "sdpa", dtype: torch.dtype = torch.float32, config: Any = None,
    saved_modules: Sequence[str] | None = None,
) -> TransformersEncoder:
    """Load a base on the CPU; with `labels`, with a classification head of that many outputs.

    `config` replaces that of the folder. Raises ValueError for a new layer that is not in one of `saved_modules`, if
    they are given: its random weights would be lost.
    """
    kind = AutoModelForSequenceClassification if labels else AutoModel
    config = config or AutoConfig.from_pretrained(folder)
    if labels:
        config.num_labels = labels
    model, loaded = kind.from_pretrained(
        folder, config=config, dtype=dtype, attn_implementation=attention, output_loading_info=True
    )
    lost = [name for name in loaded["missing_keys"] if not set(name.split(".")) & set(saved_modules or ())]
    if lost and saved_modules is not None:
        layer = min(lost).rpartition(".")[0]
        raise ValueError(
            f"the head of a {config.model_type} has a new layer, {layer!r}, that the objective does not save (it saves "
            f"{', '.join(saved_modules)}); choose a base with another head, such as BERT"
        )
    tokenizer = AutoTokenizer.from_pretrained(folder)
    if has_causal_head(model):
        # Its own may be the end of turn, with which every text ends: the head would read the token before.
        model.config.pad_token_id = int(tokenizer.eos_token_id == 0)
    return TransformersEncoder(model.eval(), tokenizer)


def has_causal_head(model: Any) -> bool:
    """Return whether a model is a decoder with a head on the last token that is no padding."""
    return isinstance(getattr(model, "score", None), torch.nn.Linear)


def find_padding_id(model: Any) -> int:
    """Return the token that pads texts: any one, as it is masked, but where a head looks for it."""
    return int(model.config.pad_token_id) if has_causal_head(model) else 0
