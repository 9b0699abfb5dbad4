"""Several answers to a prompt in one packed row: the numbers of plain transformers, with every prompt read once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_decoder import tiny_decoder
from torch import Tensor
from transformers import AutoModelForCausalLM

from factory.ml.cpu.packed_answers import compute_packed_sequence_logprobs, pack_answers
from factory.ml.cpu.packed_attention import load_causal_model
from factory.ml.text_batch import AnswerBatch

LONG = list(range(40, 75))
BATCHES = {
    "one prompt": AnswerBatch([[0, 40, 41]], [[[50, 51, 1], [60, 1]]]),
    "shared start": AnswerBatch([[0, 40, 41, 9], [0, 40, 8]], [[[50, 1], [60, 61, 62, 1]], [[70, 1], [70, 71, 1]]]),
    "equal prompts": AnswerBatch([[0, 40], [0, 40]], [[[50, 1]], [[51, 52, 1]]]),
    "several buckets": AnswerBatch(
        [[5, 6], [7, *LONG], [8], [9, *LONG, 4]],
        [[[50], [51], [52, 1]], [[53, *LONG], [54, *LONG], [1]], [LONG, [55], [56]], [[57, *LONG], [58, *LONG], LONG]],
    ),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_decoder(tmp_path_factory.mktemp("decoder")).folder


def score_plainly(model: Any, batch: AnswerBatch) -> Tensor:
    """Log-probabilities of one text at a time."""
    rows = []
    for prompt, own in zip(batch.prompts, batch.answers, strict=True):
        tables = [model(torch.tensor([[*prompt, *answer]])).logits[0, len(prompt) - 1 : -1] for answer in own]
        rows.append(torch.stack([
            table.log_softmax(-1)[range(len(answer)), list(answer)].sum()
            for table, answer in zip(tables, own, strict=True)
        ]))
    return torch.stack(rows)


@pytest.mark.parametrize("batch", BATCHES.values(), ids=BATCHES)
def test_log_probabilities_and_gradients_are_those_of_plain_transformers(batch: AnswerBatch, folder: Path) -> None:
    ours: Any = load_causal_model(folder, torch.float32)
    plain = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    packed, wanted = compute_packed_sequence_logprobs(ours, batch), score_plainly(plain, batch)
    assert packed.shape == wanted.shape == (len(batch.prompts), batch.width)
    assert (packed - wanted).abs().max() <= 1e-4
    for values in (packed, wanted):
        (values * torch.linspace(-1, 1, values.numel()).view(values.shape).add(0.1)).sum().backward()
    theirs = dict(plain.named_parameters())
    learnt = {name: value for name, value in ours.named_parameters() if "norm" not in name}  # norms stay frozen
    assert len(learnt) == 15
    for name, parameter in learnt.items():
        difference = (parameter.grad - theirs[name].grad).norm()
        assert difference <= 1e-4 * theirs[name].grad.norm() + 1e-6, name


def test_every_prompt_is_read_once_and_what_all_start_with_too() -> None:
    row = pack_answers(BATCHES["shared start"], torch.device("cpu"))
    tokens = row.tokens[0].tolist()
    assert row.prefix == 2 and tokens[:2] == [0, 40]
    used = tokens[: 2 + 3 + 11]  # the prefix, the rest of two prompts, the answers
    assert used.count(0) == used.count(40) == 1 and used.count(41) == used.count(9) == used.count(8) == 1
    assert tokens[len(used) :] == [0] * (64 - len(used))


@pytest.mark.parametrize(
    ("prompts", "answers"),
    [([], []), ([[1]], [[]]), ([[1]], [[[]]]), ([[]], [[[1]]]), ([[1], [2]], [[[1]], [[1], [2]]])],
    ids=["no prompt", "no answer", "empty answer", "empty prompt", "other numbers"],
)
def test_a_batch_without_texts_or_with_other_numbers_of_answers_is_refused(
    prompts: list[list[int]], answers: list[list[list[int]]]
) -> None:
    with pytest.raises(ValueError, match=r"a batch needs|every prompt"):
        AnswerBatch(prompts, answers)
