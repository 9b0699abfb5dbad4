"""An encoder and its tokenizer: texts to token ids, ids to padded chunks of like length, chunks to vectors."""

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
"""Padded tokens of one forward pass without gradients: what a small encoder makes of so many stays in the cache."""


@dataclass(frozen=True, slots=True)
class TransformersEncoder:
    """A transformers encoder in evaluation mode, with the tokenizer of its base."""

    model: nn.Module
    tokenizer: Any

    def tokenize_texts(self, texts: Sequence[str], limit: int) -> list[list[int]]:
        """Token ids of each text, special tokens included, cut to `limit`."""
        if not texts:
            return []
        ids: list[list[int]] = self.tokenizer(list(texts), truncation=True, max_length=limit)["input_ids"]
        return ids

    def tokenize_pairs(self, pairs: Sequence[tuple[str, str]], limit: int) -> list[tuple[list[int], list[int]]]:
        """Token ids and segment ids of each pair of texts, the longer text cut first to `limit` in all."""
        first, second = [a for a, _ in pairs], [b for _, b in pairs]
        made = self.tokenizer(first, second, truncation=True, max_length=limit, return_token_type_ids=True)
        return list(zip(made["input_ids"], made["token_type_ids"], strict=True))

    @torch.inference_mode()
    def compute_token_vectors(self, ids: Ids, report: Reporter | None = None) -> list[Tensor]:
        """Token vectors of the last layer, one (tokens, hidden) tensor in fp32 for each text, in order."""
        found: list[Tensor] = [torch.empty(0)] * len(ids)
        for chunk in _iterate_chunks(ids, report, "texts"):
            tokens, mask = pad_token_ids([ids[index] for index in chunk])
            hidden = self.model(input_ids=tokens, attention_mask=mask).last_hidden_state.float()
            for row, index in enumerate(chunk):
                found[index] = hidden[row, : len(ids[index])].clone()
        return found

    @torch.inference_mode()
    def compute_pair_logits(self, pairs: Sequence[tuple[list[int], list[int]]], report: Reporter | None = None) -> Tensor:
        """The head's outputs for tokenised pairs: (pairs, labels)."""
        found: list[Tensor] = [torch.empty(0)] * len(pairs)
        for chunk in _iterate_chunks([ids for ids, _ in pairs], report, "pairs"):
            tokens, mask = pad_token_ids([pairs[index][0] for index in chunk])
            segments, _ = pad_token_ids([pairs[index][1] for index in chunk])
            kinds = {"token_type_ids": segments} if bool(segments.any()) else {}
            outputs = self.model(input_ids=tokens, attention_mask=mask, **kinds).logits.float()
            for index, output in zip(chunk, outputs, strict=True):
                found[index] = output
        return torch.stack(found)


def _iterate_chunks(ids: Ids, report: Reporter | None, unit: str) -> Iterator[list[int]]:
    """The chunks of tokenised texts, each reported when it is done."""
    done = 0
    for chunk in chunk_by_length([len(text) for text in ids], MAX_CHUNK_TOKENS):
        yield chunk
        done += len(chunk)
        if report is not None:
            report.report_progress(done, len(ids), unit)


def chunk_by_length(lengths: Sequence[int], tokens: int) -> Iterator[list[int]]:
    """Indices of texts of like length, shortest first, each chunk at most `tokens` when padded."""
    chunk: list[int] = []
    for index in sorted(range(len(lengths)), key=lambda i: (lengths[i], i)):
        if chunk and lengths[index] * (len(chunk) + 1) > tokens:
            yield chunk
            chunk = []
        chunk.append(index)
    if chunk:
        yield chunk


def pad_token_ids(ids: Ids) -> tuple[Tensor, Tensor]:
    """Token ids (n, longest) padded with 0 on the right, and the mask of what is not padding."""
    tokens = np.zeros((len(ids), max(map(len, ids))), dtype=np.int64)
    mask = np.zeros_like(tokens)
    for row, text in enumerate(ids):
        tokens[row, : len(text)] = text
        mask[row, : len(text)] = 1
    return torch.from_numpy(tokens), torch.from_numpy(mask)


def load_encoder(folder: Path, *, labels: int = 0, training: bool = False) -> TransformersEncoder:
    """The base in fp32; with `labels`, under a fresh classification head of so many outputs.

    In training a BERT reads packed rows, and any other model padded ones with plain attention, whose backward pass
    is the fastest at short lengths.
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
    """Add a saved adapter to a model's own weights, heads included; returns how many layers it changed.

    Raises ValueError when the adapter names a layer that the model does not have: PEFT would only warn.
    """
    from peft import LoraConfig

    config = LoraConfig.from_pretrained(str(adapter))
    scale = config.lora_alpha / config.r
    saved = load_file(adapter / "adapter_model.safetensors")
    state, merged, prefix = dict(model.named_parameters()), 0, "base_model.model."
    for name, tensor in saved.items():
        target = name.removeprefix(prefix)
        if target.endswith(".lora_A.weight"):
            layer = target.removesuffix(".lora_A.weight")
            up = saved[f"{prefix}{layer}.lora_B.weight"]
            _get_parameter(state, f"{layer}.weight").add_(up.float() @ tensor.float(), alpha=scale)
            merged += 1
        elif not target.endswith(".lora_B.weight"):
            _get_parameter(state, target).copy_(tensor)
    return merged


def _get_parameter(state: dict[str, nn.Parameter], name: str) -> nn.Parameter:
    if name not in state:
        raise ValueError(f"the adapter holds {name!r}, which this base does not have")
    return state[name]
