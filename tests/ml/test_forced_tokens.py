"""Tokens that a grammar forces are read together, and change no text."""

from __future__ import annotations

import json

import pytest
import torch
from tiny_decoder import tiny_decoder
from transformers import AutoTokenizer

from factory.api import Generation, Grammar, Message
from factory.api.grammar import GrammarState
from factory.ml.cpu.decoder import PackedDecoder
from factory.ml.cpu.packed_attention import load_causal_model

SCHEMA = {
    "type": "object", "additionalProperties": False, "required": ["mood", "word", "urgent"],
    "properties": {
        "mood": {"enum": ["glad", "sad"]}, "word": {"type": "string", "maxLength": 6}, "urgent": {"type": "boolean"},
    },
}
GRAMMARS = [
    Grammar(json.dumps(SCHEMA), "json-schema"), Grammar('start: /[a-d]{1,9}/ " and then some more " /[x-z]{3}/'), None,
    Grammar('start: "moon" ("shine" | "beam") "."'),
]


@pytest.fixture(scope="module")
def decoder(tmp_path_factory: pytest.TempPathFactory) -> PackedDecoder:
    folder = tiny_decoder(tmp_path_factory.mktemp("decoder")).folder
    return PackedDecoder(load_causal_model(folder, torch.float32), AutoTokenizer.from_pretrained(folder))


def write(
    decoder: PackedDecoder, temperature: float, limit: int, grammars: list[Grammar | None] = GRAMMARS
) -> tuple[list[Generation], int]:
    """The answers, and how often the model was asked for them."""
    passes: list[object] = []
    handle = decoder.model.get_decoder().register_forward_hook(lambda *arguments: passes.append(arguments[0]))
    prompts = [decoder.tokenize_chat([Message("user", "go " * number)]) for number in range(1, len(grammars) + 1)]
    texts = decoder.generate_texts(prompts, limit, grammars, temperature=temperature, seeds=range(len(grammars)))
    handle.remove()
    return texts, len(passes)


@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize("limit", [3, 30, 120])
def test_a_text_is_the_same_as_if_every_token_had_been_chosen(
    decoder: PackedDecoder, temperature: float, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    grammars: list[Grammar | None] = [grammar for grammar in GRAMMARS if grammar is not None]
    together, passes = write(decoder, temperature, limit, grammars)
    monkeypatch.setattr(GrammarState, "take_forced_tokens", lambda state: [])
    one_by_one, more = write(decoder, temperature, limit, grammars)
    assert together == one_by_one and passes <= more and (limit == 3 or passes < more)
    assert [text.finished for text in together] == [text.tokens < limit for text in together]
    if limit == 120:
        assert all(grammar is not None and grammar.accepts(text.text)
                   for grammar, text in zip(grammars, together, strict=True))


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_an_answer_does_not_depend_on_the_others_of_its_batch(decoder: PackedDecoder, temperature: float) -> None:
    together, _ = write(decoder, temperature, 60)
    assert together == write(decoder, temperature, 60)[0]
    for number, grammar in enumerate(GRAMMARS):
        prompt = decoder.tokenize_chat([Message("user", "go " * (number + 1))])
        alone = decoder.generate_texts([prompt], 60, [grammar], temperature=temperature, seeds=[number])
        assert alone == together[number : number + 1]


def test_what_is_wholly_forced_needs_no_choice_and_what_is_cut_off_is_not_finished(
    decoder: PackedDecoder,
) -> None:
    forced: list[Grammar | None] = [Grammar('start: "always the same"')]
    (whole,), passes = write(decoder, 0.0, 40, forced)
    assert whole == Generation("always the same", 15, True) and passes == 1
    (cut,), _ = write(decoder, 0.0, 6, forced)
    assert cut == Generation("always", 6, False)
