"""The forgetting suite: what its items are, and that it sees a model that forgot."""

from __future__ import annotations

import json
import operator
import re
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest
from tiny_decoder import tiny_decoder
from tiny_parts import Voice

from factory.api import Artifact, Base, ProbeJob, read_numbered_jsonl
from factory.stages.job import load_toolbox
from factory.text.near_duplicates import GrowingShingleIndex
from factory.text.normalise import normalise_words
from factory_general.general_probe import OWN_SUITE_PATH, PLAIN_TEXTS_PATH, GeneralProbe, score_items
from factory_general.multiple_choice_items import draw_wrong_numbers, read_items


def write(path: Path, *records: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def read_own_suite() -> list[dict[str, Any]]:
    return [dict(record) for _, record in read_numbered_jsonl(OWN_SUITE_PATH)]


def job(root: Path, base: Base, adapter: Path, kit: Any = load_toolbox) -> ProbeJob:
    artifact = Artifact("adapter", adapter, base)
    return ProbeJob(seed=7, report=Voice(), root=root, kit_loader=kit, base=base, artifact=artifact)


def adapter(base: Base, folder: Path, scale: float) -> Path:
    """A random adapter on every linear layer, as peft writes it; without scale it changes nothing."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(1)
    config = LoraConfig(r=4, lora_alpha=4, target_modules="all-linear", init_lora_weights=False)
    tuned = get_peft_model(AutoModelForCausalLM.from_pretrained(base.folder), config)
    for name, weight in tuned.named_parameters():
        if "lora_B" in name:
            weight.data.mul_(scale)
    tuned.save_pretrained(folder)
    return folder


def test_our_own_items_are_well_formed_and_balanced() -> None:
    lines = read_own_suite()
    kinds = Counter(record["id"].partition("-")[0] for record in lines)
    assert sum(kinds.values()) == 514 == len({record["id"] for record in lines})
    assert len(kinds) == 9 and min(kinds.values()) >= 30
    asked = [record for record in lines if "choices" in record]
    assert all(len({choice.casefold() for choice in record["choices"]}) == 4 for record in asked)
    for kind in kinds.keys() - {"grammar"}:
        places = Counter(record["answer"] for record in asked if record["id"].startswith(kind))
        assert set(places) == {0, 1, 2, 3} and max(places.values()) - min(places.values()) <= 1
    lengths = [sorted(record["choices"], key=len) for record in asked]
    right = [record["choices"][record["answer"]] for record in asked]
    # The right choice is neither often the longest nor often the shortest: length gives nothing away.
    assert all(sum(a == b[end] for a, b in zip(right, lengths, strict=True)) < 0.35 * len(asked) for end in (0, -1))
    assert len(list(read_numbered_jsonl(PLAIN_TEXTS_PATH))) >= 12


def test_no_two_of_our_own_items_are_near_duplicates() -> None:
    index = GrowingShingleIndex()
    for record in read_own_suite():
        answer = record["choices"][record["answer"]] if "choices" in record else ""
        text = normalise_words(f"{record.get('question', record.get('good'))} {answer}")
        assert index.find_max_similarity(text, 0.7) == 0, record["id"]
        index.add(text)


def test_our_own_sums_are_right() -> None:
    compute = {"plus": operator.add, "minus": operator.sub, "times": operator.mul, "divided by": operator.truediv}
    sums = re.compile(r"(?:What is|How much is) (\d+) (plus|minus|times|divided by) (\d+)\?")
    checked = 0
    for record in read_own_suite():
        if found := sums.fullmatch(record.get("question", "")):
            result = compute[found[2]](int(found[1]), int(found[3]))
            right = [place for place, choice in enumerate(record["choices"]) if float(choice) == result]
            assert right == [record["answer"]], record["id"]
            checked += 1
    assert checked >= 25


def test_the_whole_of_our_own_suite_runs_by_default() -> None:
    probe = GeneralProbe()
    assert len(read_items(OWN_SUITE_PATH, "own", probe.items, 7)) == len(read_own_suite())


def test_pairs_are_whole_sentences_and_choices_follow_a_question(tmp_path: Path) -> None:
    path = write(
        tmp_path / "mixed.jsonl", {"good": "He runs.", "bad": "He run."},
        {"question": "Where?", "choices": ["here", "there"], "answer": 1},
    )
    pair, choice = read_items(path, "mixed", 10, 7)
    assert (pair.prefix, pair.options, pair.correct_index, pair.per_token) == ("", ("He runs.", "He run."), 0, False)
    assert (choice.id, choice.prefix, choice.options) == ("mixed-2", "Question: Where?\nAnswer:", (" here", " there"))


def test_a_sum_stops_before_its_last_result(tmp_path: Path) -> None:
    solution = "She has 3*4 = <<3*4=12>>12 in May.\nThat is $<<48+24=72>>72.\n#### 72"
    path = write(
        tmp_path / "sums.jsonl", {"question": "How many?", "solution": solution, "answer": "72"},
        {"question": "How many?", "answer": "1,200"}, {"question": "How much?", "answer": "0.5"},
    )
    worked, alone = read_items(path, "sums", 10, 7)
    assert worked.prefix.endswith("3*4 = 12 in May.\nThat is $") and worked.options[0] == "72"
    assert alone.prefix.endswith("Answer: The answer is") and alone.options[0] == " 1200"
    assert len(set(worked.options)) == 4


@pytest.mark.parametrize("number", [1, 2, 9, 10, 72, 99, 100, 1200])
def test_wrong_numbers_are_near_positive_and_wrong(number: int) -> None:
    wrong = draw_wrong_numbers(number, Random(1))
    assert len({number, *wrong}) == 4 and min(wrong) > 0


def test_items_are_drawn_with_the_seed(tmp_path: Path) -> None:
    path = write(tmp_path / "many.jsonl", *({"good": f"a{n}", "bad": f"b{n}"} for n in range(50)))
    assert read_items(path, "many", 10, 1) == read_items(path, "many", 10, 1) != read_items(path, "many", 10, 2)
    assert len(read_items(path, "many", 10, 1)) == 10


@pytest.mark.parametrize(
    "record", [{"good": "a"}, {"question": "a?", "choices": ["b"], "answer": 3}, {"text": "a"}], ids=str
)
def test_what_is_no_item_is_named(tmp_path: Path, record: dict[str, Any]) -> None:
    path = write(tmp_path / "broken.jsonl", {"good": "a", "bad": "b"}, record)
    with pytest.raises(ValueError, match=r"broken\.jsonl:2: not an item"):
        read_items(path, "broken", 10, 1)


class Letters:
    """A decoder whose tokens are letters, and to which each letter is as likely as it is told."""

    class Tokenizer:
        """Letters as numbers."""

        bos_token_id, eos_token_id = 0, 0

        def __call__(self, text: str, add_special_tokens: bool = False) -> dict[str, list[int]]:
            return {"input_ids": [ord(letter) for letter in text]}

    def __init__(self, **likely: float) -> None:
        self.likely, self.tokenizer = likely, Letters.Tokenizer()

    def compute_choice_logprobs(self, prompts: Any, choices: Any, report: Any = None) -> list[list[float]]:
        return [[sum(self.likely.get(chr(i), -5.0) for i in ids) for ids in each] for each in choices]


def test_choices_are_weighed_by_the_token_and_sentences_by_the_sum(tmp_path: Path) -> None:
    path = write(
        tmp_path / "two.jsonl", {"question": "?", "choices": ["b", "aaaa"], "answer": 1}, {"good": "aaaa", "bad": "b"}
    )
    items = read_items(path, "two", 10, 7)
    work = job(tmp_path, Base(tmp_path, "", "", "", ""), tmp_path)
    assert score_items(Letters(a=-1.0, b=-2.0), items, work) == [1.0, 0.0]  # type: ignore[arg-type]


def test_a_model_that_forgot_falls(tmp_path: Path) -> None:
    class Forgetful:
        def load_decoder(self, base: Base, artifact: Artifact | None = None) -> Letters:
            return Letters(a=-9.0) if artifact else Letters(a=-1.0)

    path = write(tmp_path / "pairs.jsonl", *({"good": f"a{n:02}", "bad": f"b{n:02}"} for n in range(10)))
    work = job(tmp_path, Base(tmp_path, "", "", "", ""), tmp_path, Forgetful)
    found = list(GeneralProbe(own=False, blimp=path).probe(work))
    assert [(item.base, item.tuned) for item in found] == [(1.0, 0.0)] * 10


def test_equal_models_tie_and_a_broken_one_drifts(tmp_path: Path) -> None:
    base = tiny_decoder(tmp_path / "base")
    same = job(tmp_path, base, adapter(base, tmp_path / "same", 0.0))
    broken = job(tmp_path, base, adapter(base, tmp_path / "broken", 30.0))
    items = list(GeneralProbe(items=40).probe(same))
    assert len(items) == 40 and all(item.base == item.tuned for item in items)
    assert GeneralProbe().compute_drift(same)["kl"] == pytest.approx(0, abs=1e-6)
    assert GeneralProbe().compute_drift(broken)["kl"] > 0.1
    assert any(item.base != item.tuned for item in GeneralProbe(items=40).probe(broken))


def test_suites_come_by_path_relative_to_the_spec(tmp_path: Path) -> None:
    base = tiny_decoder(tmp_path / "base")
    write(tmp_path / "pairs.jsonl", *({"good": f"He runs {n}.", "bad": f"He run {n}."} for n in range(12)))
    work = job(tmp_path, base, adapter(base, tmp_path / "same", 0.0))
    found = list(GeneralProbe(own=False, blimp=Path("pairs.jsonl")).probe(work))
    assert {item.suite for item in found} == {"blimp"} and len(found) == 12
    with pytest.raises(ValueError, match="no suite to run"):
        list(GeneralProbe(own=False).probe(work))
