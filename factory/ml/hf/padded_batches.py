"""Forward passes of training over padded batches, with transformers' own attention."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import Tensor, nn

from factory.ml.encoder import find_padding_id
from factory.ml.text_batch import AnswerBatch, TextBatch, pad_token_ids, sum_answer_logprobs


def compute_padded_hidden(model: nn.Module, batch: TextBatch) -> list[Tensor]:
    """Return the last hidden states of each text: (tokens, hidden) in fp32, with gradients."""
    hidden = _forward_encoder(model, batch).last_hidden_state.float().cpu()
    return [row[: len(ids)] for row, ids in zip(hidden, batch.ids, strict=True)]


def compute_padded_logits(model: nn.Module, batch: TextBatch) -> Tensor:
    """Return the logits of the head for each text: (texts, labels) in fp32, with gradients."""
    logits: Tensor = _forward_encoder(model, batch).logits.float().cpu()
    return logits


def _forward_encoder(model: Any, batch: TextBatch) -> Any:
    tokens, mask = (tensor.to(model.device) for tensor in pad_token_ids(batch.ids, find_padding_id(model)))
    # Some models have no segment embeddings.
    segmented = batch.segments is not None and any(map(any, batch.segments))
    extra = {"token_type_ids": pad_token_ids(batch.segments or ())[0].to(model.device)} if segmented else {}
    return model(input_ids=tokens, attention_mask=mask, **extra)


def compute_padded_completion_logits(model: nn.Module, batch: TextBatch) -> tuple[Tensor, Tensor]:
    """Return (logits, targets) of all completion tokens: (tokens, vocabulary) in fp32 with gradients, (tokens,)."""
    causal: Any = model
    tokens, mask = (tensor.to(causal.device) for tensor in pad_token_ids(batch.ids))
    first = min(batch.starts) - 1
    logits = forward_causal(causal, tokens, mask, first)
    starts = torch.tensor(list(batch.starts), device=tokens.device)[:, None]
    positions = torch.arange(first + 1, tokens.shape[1], device=tokens.device)[None]
    targeted = (positions >= starts) & mask[:, first + 1 :].bool()
    # The logits at a position predict the token after it.
    return logits[:, :-1][targeted].float(), tokens[:, first + 1 :][targeted]


def compute_padded_sequence_logprobs(model: nn.Module, batch: AnswerBatch) -> Tensor:
    """Return the log-probability of each answer, summed over tokens: (prompts, answers) in fp32, with gradients."""
    # The rows of the logits are those of the texts in turn.
    logits, targets = compute_padded_completion_logits(model, batch.join_texts())
    lengths = [len(answer) for own in batch.answers for answer in own]
    return sum_answer_logprobs(logits, targets, range(len(lengths)), lengths).view(-1, batch.width)


def forward_causal(model: Any, tokens: Tensor, mask: Tensor, first: int) -> Tensor:
    """Return the logits of right-padded texts (texts, longest) from the position `first` on."""
    if "logits_to_keep" in inspect.signature(model.forward).parameters:
        kept = torch.arange(first, tokens.shape[1], device=tokens.device)
        logits: Tensor = model(input_ids=tokens, attention_mask=mask, use_cache=False, logits_to_keep=kept).logits
        return logits
    whole: Tensor = model(input_ids=tokens, attention_mask=mask, use_cache=False).logits
    return whole[:, first:]
