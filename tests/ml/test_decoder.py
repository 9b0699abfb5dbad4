"""A decoder answers as plain transformers would, whatever it shares, packs or batches."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from tiny_decoder import tiny_decoder
from transformers import AutoModelForCausalLM

from factory.api import Base, Grammar, Message
from factory.ml.cpu import generation, packed_attention
from factory.ml.cpu.decoder import PackedDecoder

LIMIT = 12
WORDS = ["a", "which one is larger, the sun or the moon?", "tell me", "say it again, more slowly please"]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    return tiny_decoder(tmp_path_factory.mktemp("decoder"))


@pytest.fixture(scope="module")
def decoder(base: Base) -> PackedDecoder:
    from transformers import AutoTokenizer

    return PackedDecoder(
        packed_attention.load_causal_model(base.folder, torch.float32), AutoTokenizer.from_pretrained(base.folder)
    )


@pytest.fixture(scope="module")
def plain(base: Base) -> Any:
    return AutoModelForCausalLM.from_pretrained(base.folder, dtype=torch.float32).eval()


def chats(decoder: PackedDecoder, system: str = "") -> list[list[int]]:
    first = [Message("system", system)] if system else []
    return [decoder.tokenize_chat([*first, Message("user", text)]) for text in WORDS]


def naive(plain: Any, prompt: list[int], limit: int = LIMIT) -> list[int]:
    """One prompt at a time, nothing kept."""
    ids = list(prompt)
    with torch.inference_mode():
        for _ in range(limit):
            token = int(plain(input_ids=torch.tensor([ids])).logits[0, -1].argmax())
            if token == 1:
                break
            ids.append(token)
    return ids[len(prompt) :]


@pytest.mark.parametrize("system", ["", "You answer in one word, and never more than that."])
def test_many_prompts_at_once_get_the_tokens_of_one_at_a_time(
    decoder: PackedDecoder, plain: Any, system: str
) -> None:
    prompts = chats(decoder, system)
    assert bool(generation.find_shared_prefix(prompts)) == bool(system)
    assert generation.generate_token_ids(
        decoder.build_decoding_context(), prompts, LIMIT
    ) == [naive(plain, prompt) for prompt in prompts]


def test_a_grammar_is_obeyed_and_else_changes_nothing(decoder: PackedDecoder) -> None:
    prompts = chats(decoder)
    free = decoder.generate_texts(prompts, LIMIT)
    held = decoder.generate_texts(prompts, LIMIT, [Grammar('start: "moonmoon"'), None, None, None])
    assert held[0].text == "moonmoon" and held[0].finished and held[1:] == free[1:]


def test_an_answer_that_its_grammar_does_not_let_end_is_not_finished(decoder: PackedDecoder) -> None:
    (cut,) = decoder.generate_texts(chats(decoder)[:1], LIMIT, [Grammar("start: /[a-z]{900}/")])
    assert not cut.finished and cut.tokens == LIMIT and cut.text.isalpha()


def test_a_grammar_that_is_none_is_an_error(decoder: PackedDecoder) -> None:
    with pytest.raises(ValueError, match=r"invalid grammar: .*unknown"):
        decoder.generate_texts(chats(decoder)[:1], LIMIT, [Grammar("start: unknown")])


def test_weighing_answers_as_a_tree_equals_reading_each_alone(decoder: PackedDecoder, plain: Any) -> None:
    prompts, answers = chats(decoder, "Pick one."), ["sun", "sunny", "moon", "m"]
    choices = [decoder.tokenize_answer(answer) for answer in answers]
    found = decoder.compute_choice_logprobs(prompts, [choices] * len(prompts))
    for prompt, weights in zip(prompts, found, strict=True):
        for choice, weight in zip(choices, weights, strict=True):
            with torch.inference_mode():
                table = plain(input_ids=torch.tensor([prompt + choice])).logits[0].log_softmax(-1)
            alone = sum(float(table[len(prompt) - 1 + place, token]) for place, token in enumerate(choice))
            assert weight == pytest.approx(alone, abs=1e-4)


def test_different_answers_to_each_prompt_can_be_weighed(decoder: PackedDecoder) -> None:
    prompts = chats(decoder)
    choices = [
        [decoder.tokenize_answer("x" * (1 + place)), decoder.tokenize_answer("y")] for place in range(len(prompts))
    ]
    together = decoder.compute_choice_logprobs(prompts, choices)
    for place, prompt in enumerate(prompts):
        assert together[place] == pytest.approx(
            decoder.compute_choice_logprobs([prompt], [choices[place]])[0], abs=1e-4
        )


def test_every_token_of_an_answer_is_weighed_as_in_a_text_alone(decoder: PackedDecoder, plain: Any) -> None:
    prompts, answers = chats(decoder), [decoder.tokenize_answer(word) for word in WORDS]
    found = decoder.compute_answer_logprobs(prompts, answers)
    for prompt, answer, logprobs in zip(prompts, answers, found, strict=True):
        with torch.inference_mode():
            table = plain(input_ids=torch.tensor([prompt + answer])).logits[0, len(prompt) - 1 : -1].log_softmax(-1)
        assert logprobs == pytest.approx(table[range(len(answer)), answer].tolist(), abs=1e-4)


@pytest.mark.parametrize("system", ["", "You answer in one word, and never more than that."])
def test_packed_rows_give_the_loss_and_gradients_of_rows_alone(
    decoder: PackedDecoder, plain: Any, system: str
) -> None:
    prompts = chats(decoder, system)
    texts = [
        [*prompt, *decoder.tokenize_answer(text)] for prompt,
        text in zip(prompts, ["b", "no", "yes!", "c"], strict=True)
    ]
    starts = [len(prompt) for prompt in prompts]
    batch = packed_attention.build_completion_batch(texts, starts)
    assert len(batch.prefix) > (len(system) or 5)
    logits, tokens = packed_attention.compute_completion_logits(decoder.model, batch)
    loss = torch.nn.functional.cross_entropy(logits, tokens, reduction="sum")
    weight = decoder.model.model.layers[0].self_attn.k_proj.weight
    (found,) = torch.autograd.grad(loss, weight)
    alone, total = plain.model.layers[0].self_attn.k_proj.weight, torch.zeros(())
    for ids, start in zip(texts, starts, strict=True):
        table = plain(input_ids=torch.tensor([ids])).logits[0, start - 1 : -1]
        total = total + torch.nn.functional.cross_entropy(table, torch.tensor(ids[start:]), reduction="sum")
    (wanted,) = torch.autograd.grad(total, alone)
    assert loss.item() == pytest.approx(total.item(), rel=1e-5)
    assert float((found - wanted).norm() / wanted.norm()) < 1e-5


def test_a_prompt_is_the_same_ids_before_any_answer(decoder: PackedDecoder) -> None:
    prompt, said = decoder.tokenize_chat([Message("user", "hello")]), decoder.tokenize_answer("hi")
    assert decoder.tokenizer.decode([*prompt, *said]).endswith("assistant\nhi<|im_end|>")
    assert said[-1] == decoder.tokenizer.eos_token_id
