"""Packed rows: the same vectors, scores and gradients as padded batches, without the padding."""

import os
from collections.abc import Callable

os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
import torch
from torch import Tensor, nn
from transformers import BertConfig, BertForSequenceClassification, BertModel

from factory.ml.cpu import packing
from factory.ml.text_batch import TextBatch, pad_token_ids

SIZES = {
    "vocab_size": 50, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64,
    "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0,
}
IDS = [[2, 7, 9, 3], [2, 5, 3], [2, 8, 11, 12, 30, 31, 32, 33, 34, 3], [2, 5, 6, 3], [2, 40, 3]]
KINDS = [[0, 0, 1, 1], [0, 1, 1], [0] * 6 + [1] * 4, [0, 0, 0, 1], [0, 1, 1]]


def pair(make: Callable[..., nn.Module], **more: int) -> tuple[nn.Module, nn.Module]:
    """The same random model twice: with packed attention and with plain attention."""
    models = []
    for attention in (packing.PACKED_ATTENTION, "eager"):
        torch.manual_seed(0)
        models.append(make(BertConfig(**SIZES, **more, attn_implementation=attention)))
    return models[0], models[1]


def gradients(model: nn.Module) -> dict[str, Tensor]:
    return {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


def test_token_vectors_and_gradients_are_those_of_padded_texts() -> None:
    ours, plain = pair(BertModel)
    batch = packing.pack_texts(IDS)
    tokens, mask = pad_token_ids(IDS)
    row = packing.compute_packed_hidden(ours, batch)
    padded = plain(input_ids=tokens, attention_mask=mask).last_hidden_state
    aims = [torch.randn_like(vectors) for vectors in row]
    for vectors, text in zip(row, padded, strict=True):
        assert torch.allclose(vectors, text[: len(vectors)], atol=1e-5)
    torch.stack([(v * aim).sum() for v, aim in zip(row, aims, strict=True)]).sum().backward()
    torch.stack([(t[: len(aim)] * aim).sum() for t, aim in zip(padded, aims, strict=True)]).sum().backward()
    found, wanted = gradients(ours), gradients(plain)
    assert found.keys() == wanted.keys()
    assert all(torch.allclose(found[name], wanted[name], atol=2e-4) for name in wanted)


def test_a_classifier_scores_packed_pairs_as_padded_ones() -> None:
    ours, plain = pair(BertForSequenceClassification, num_labels=2)
    packing.keep_first_tokens_only(ours)
    tokens, mask = pad_token_ids(IDS)
    kinds, _ = pad_token_ids(KINDS)
    wanted = plain(input_ids=tokens, attention_mask=mask, token_type_ids=kinds).logits
    assert torch.allclose(packing.compute_packed_logits(ours, packing.pack_texts(IDS, KINDS)), wanted, atol=1e-5)


def test_a_plain_call_of_a_packing_model_is_plain_attention_under_its_mask() -> None:
    ours, plain = pair(BertModel)
    tokens, mask = pad_token_ids(IDS)
    both = [model(input_ids=tokens, attention_mask=mask).last_hidden_state for model in (ours, plain)]
    assert torch.allclose(*(text[mask.bool()] for text in both), atol=1e-5)


def test_a_row_holds_every_token_once_and_buckets_waste_little() -> None:
    lengths = [3, 60, 4, 5, 58, 5, 5, 9]
    batch = packing.pack_texts([[7] * length for length in lengths])
    assert batch.tokens.shape[1] % packing.ROW_MULTIPLE == 0
    assert sum(bucket.tokens for bucket in batch.buckets) == sum(lengths)
    assert all(b.texts * b.longest <= packing.MAX_PADDING_RATIO * b.tokens for b in batch.buckets)
    assert [lengths[index] for index in batch.order] == sorted(lengths)


@pytest.mark.parametrize("ids", [[], [[1], []]])
def test_nothing_is_no_batch(ids: list[list[int]]) -> None:
    with pytest.raises(ValueError, match="a batch needs texts, and each at least one token"):
        TextBatch(ids)


@pytest.mark.parametrize("start", [0, 3])
def test_a_completion_starts_inside_its_text(start: int) -> None:
    with pytest.raises(ValueError, match="completions must start after the first token"):
        TextBatch([[1, 2, 3]], starts=[start])
