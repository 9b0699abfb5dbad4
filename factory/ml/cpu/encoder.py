"""A transformers encoder and its tokenizer: tokenisation, padded chunks of similar length, vectors and logits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification, AutoTokenizer

from factory.api import Reporter
from factory.ml.cpu.packing import PACKED_ATTENTION, keep_first_tokens_only

Ids = Sequence[Sequence[int]]
MAX_CHUNK_TOKENS = 1024
"""Padded tokens of one forward pass without gradients: the activations of a small encoder then fit the CPU cache."""


@dataclass(frozen=True, slots=True)
class TransformersEncoder:
    """A transformers encoder in evaluation mode, with the tokenizer of its base."""

    model: nn.Module
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
            tokens, mask = pad_token_ids([ids[index] for index in chunk])
            hidden = self.model(input_ids=tokens, attention_mask=mask).last_hidden_state.float()
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
            tokens, mask = pad_token_ids([pairs[index][0] for index in chunk])
            segments, _ = pad_token_ids([pairs[index][1] for index in chunk])
            kinds = {"token_type_ids": segments} if bool(segments.any()) else {}
            outputs = self.model(input_ids=tokens, attention_mask=mask, **kinds).logits.float()
            for index, output in zip(chunk, outputs, strict=True):
                logits[index] = output
        return torch.stack(logits)


def iterate_chunks(
    lengths: Sequence[int], tokens: int, report: Reporter | None, unit: str, max_rows: int = 10**9
) -> Iterator[list[int]]:
    """Yield the chunks of `chunk_by_length`, split into at most `max_rows` indices; report progress after each."""
    done = 0
    for chunk in chunk_by_length(lengths, tokens):
        for start in range(0, len(chunk), max_rows):
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


def pad_token_ids(ids: Ids) -> tuple[Tensor, Tensor]:
    """Return token ids (n, longest), right-padded with 0, and their attention mask."""
    tokens = np.zeros((len(ids), max(map(len, ids))), dtype=np.int64)
    mask = np.zeros_like(tokens)
    for row, text in enumerate(ids):
        tokens[row, : len(text)] = text
        mask[row, : len(text)] = 1
    return torch.from_numpy(tokens), torch.from_numpy(mask)


def load_encoder(folder: Path, *, labels: int = 0, training: bool = False) -> TransformersEncoder:
    """Load a base in fp32; with `labels`, with a new classification head of that many outputs.

    In training, BERT models use packed rows; others use padded batches with eager attention, whose backward pass is
    the fastest at short lengths.
    """
    bert = AutoConfig.from_pretrained(folder).model_type == "bert"
    attention = (PACKED_ATTENTION if bert else "eager") if training else "sdpa"
    settings: dict[str, Any] = {"dtype": torch.float32, "attn_implementation": attention}
    if labels:
        model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=labels, **settings)
        if bert:
            keep_first_tokens_only(model)
    else:
        model = AutoModel.from_pretrained(folder, **settings)
    return TransformersEncoder(model.eval(), AutoTokenizer.from_pretrained(folder))


@torch.no_grad()
def merge_adapter(model: nn.Module, adapter: Path) -> int:
    """Merge a saved adapter, with its saved modules, into a model's weights; return the number of merged layers.

    Raises ValueError for a layer that the model does not have; PEFT would only warn.
    """
    from peft import LoraConfig

    config = LoraConfig.from_pretrained(str(adapter))
    scale = config.lora_alpha / config.r
    saved = load_file(adapter / "adapter_model.safetensors")
    parameters, merged = dict(model.named_parameters()), 0
    for name, tensor in saved.items():
        if name.endswith(".lora_B.weight"):
            continue  # merged together with its A
        target = name.removeprefix("base_model.model.").replace(".lora_A.weight", ".weight")
        if target not in parameters:
            raise ValueError(f"the adapter has weights for {target!r}, which this base does not have")
        if name.endswith(".lora_A.weight"):
            up = saved[name.replace(".lora_A.", ".lora_B.")]
            parameters[target].add_(up.float() @ tensor.float(), alpha=scale)
            merged += 1
        else:
            parameters[target].copy_(tensor)
    return merged
