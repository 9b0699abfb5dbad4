"""Sampling draws what the model says, from a seed, and from nothing else."""

from __future__ import annotations

import json
from collections import Counter

import pytest
import torch
from tiny_decoder import tiny_decoder

from factory.api import Grammar, Message
from factory.ml.cpu.backend import PackedBackend
from factory.ml.cpu.decoder import PackedDecoder

PROMPT = "which one?"


@pytest.fixture(scope="module")
def decoder(tmp_path_factory: pytest.TempPathFactory) -> PackedDecoder:
    return PackedBackend().load_decoder(tiny_decoder(tmp_path_factory.mktemp("decoder")).folder, None)


def prompt(decoder: PackedDecoder) -> list[int]:
    return decoder.tokenize_chat([Message("user", PROMPT)])


def letters(decoder: PackedDecoder, chances: torch.Tensor) -> list[int]:
    """The tokens that are a letter by themselves, the likeliest first: halves of one all look alike as text."""
    ordered = chances.argsort(descending=True).tolist()
    return [token for token in ordered if len(text := decoder.decode_ids([token])) == 1 and text.isascii()]


@pytest.mark.parametrize("temperature", [0.5, 1.0])
def test_first_tokens_come_as_often_as_the_model_says(decoder: PackedDecoder, temperature: float) -> None:
    ids, draws = prompt(decoder), 600
    chances = (decoder.compute_token_logits([ids])[0][-1] / temperature).softmax(-1)
    chances = torch.where(chances < 0.05 * chances.max(), 0.0, chances)
    chances /= chances.sum()
    written = decoder.generate_texts([ids] * draws, 1, temperature=temperature, seeds=range(draws))
    counts = Counter(said.text for said in written)
    for token in letters(decoder, chances)[:3]:
        p = float(chances[token])
        spread = 4 * (p * (1 - p) / draws) ** 0.5
        assert counts[decoder.decode_ids([token])] / draws == pytest.approx(p, abs=spread)


def test_a_grammar_draws_from_what_it_allows(decoder: PackedDecoder) -> None:
    ids, draws = prompt(decoder), 600
    chances = decoder.compute_token_logits([ids])[0][-1].softmax(-1)
    two = letters(decoder, chances)[1:3]
    texts = [decoder.decode_ids([token]) for token in two]
    grammar = Grammar(f"start: {' | '.join(map(json.dumps, texts))}")
    written = decoder.generate_texts([ids] * draws, 1, [grammar] * draws, temperature=1.0, seeds=range(draws))
    counts = Counter(said.text for said in written)
    share = float(chances[two[0]] / (chances[two[0]] + chances[two[1]]))
    assert counts[texts[0]] / sum(counts[text] for text in texts) == pytest.approx(share, abs=0.1)


def test_at_temperature_0_it_is_greedy_and_says_whether_it_came_to_an_end(decoder: PackedDecoder) -> None:
    ids = prompt(decoder)
    (said,) = decoder.generate_texts([ids], 5)
    assert said == decoder.generate_texts([ids, ids], 5, temperature=0.0)[1]
    assert said.tokens <= 5 and said.finished == (said.tokens < 5)
