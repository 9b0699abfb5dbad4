"""The prompted contender: which examples it shows, how it chooses among arms, and what it answers."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import pytest
from prompted_parts import HERE, Moody, Shouting, Talker, Voice, job, rows, shouted
from pydantic import ValidationError
from tiny_decoder import tiny_decoder

from factory.api import Grammar, Message, Row
from factory.api.label_sets import list_given_labels
from factory.registry.registry import load_installed_registry
from factory.stages.job import load_toolbox
from factory_contenders.chat_backends import calibrate_logprobs, exponentiate_logprobs
from factory_contenders.few_shot import FewShotSelector, fit_tfidf_embedder
from factory_contenders.label_set_prompts import SET_INSTRUCTION, build_label_set_grammar, parse_label_set
from factory_contenders.prompt_builder import PromptBuilder, strip_code_fence
from factory_contenders.prompted import Prompted


def last(prompt: str) -> str:
    return prompt.rpartition("U: ")[2]


def examples(prompt: str) -> int:
    return prompt.count("\nA: ")


def test_the_best_arm_on_validation_answers_and_says_what_was_tried() -> None:
    talker = Talker(lambda prompt: last(prompt).upper() if examples(prompt) >= 2 else "what?")
    work = job(Shouting(), talker)
    answers = list(Prompted(shots=[0, 1, 2, 3], selection=["fixed"]).answer(work))
    assert [answer.output for answer in answers] == ["OWL", "PIG"]
    assert work.facts["arm"] == "fixed 2"
    assert [(each["arm"], each["worth"]) for each in work.facts["tried"]] == [
        ("fixed 2", 1.0), ("fixed 3", 1.0), ("zero-shot", 0.0), ("fixed 1", 0.0),
    ]
    assert work.facts["model"] == "tiny/talker" and work.facts["prompt_tokens"] > 0


def test_of_equals_the_shorter_prompt_wins() -> None:
    work = job(Shouting(), Talker(lambda prompt: "same"))
    list(Prompted(shots=[0, 2]).answer(work))
    assert work.facts["arm"] == "zero-shot"


def test_one_arm_needs_no_validation_rows_and_several_do() -> None:
    talker = Talker(lambda prompt: last(prompt).upper())
    assert len(list(Prompted(shots=[2], selection=["nearest"]).answer(job(Shouting(), talker, validation=[])))) == 2
    with pytest.raises(ValueError, match=r"set `data\.split\.validation`"):
        list(Prompted().answer(job(Shouting(), talker, validation=[])))
    with pytest.raises(ValueError, match=r"set `shots: \[0\]`"):
        list(Prompted().answer(job(Shouting(), talker, train=[])))


def test_only_some_validation_rows_are_tried() -> None:
    talker = Talker(lambda prompt: "")
    work = job(Shouting(), talker, validation=shouted("v", *(f"v{n}" for n in range(50))))
    list(Prompted(shots=[0, 1], validation_rows=5, selection=["fixed"]).answer(work))
    assert len(talker.prompts) == 2 * 5 + 2 and work.facts["tries"] == 5


def test_of_many_arms_the_better_half_sees_all_rows() -> None:
    talker = Talker(lambda prompt: last(prompt).upper() if examples(prompt) >= 3 else "what?")
    work = job(Shouting(), talker, validation=shouted("v", *(f"v{n}" for n in range(30))))
    list(Prompted(shots=[0, 1, 2, 3, 4], validation_rows=30, selection=["fixed"]).answer(work))
    assert len(talker.prompts) == 5 * 10 + 3 * 20 + 2 and work.facts["arm"] == "fixed 3"
    assert [each["rows"] for each in work.facts["tried"]] == [30, 30, 30, 10, 10]


def test_nearest_examples_come_least_to_most_similar() -> None:
    train = shouted("r", "red apple", "green apple pie", "a motorway", "green apple")
    shots = FewShotSelector(train, lambda row: row["text"], fit_tfidf_embedder([row["text"] for row in train]), 7)
    (near,) = shots.select_nearest(shouted("q", "green apple pie!"), 3)
    assert [row["text"] for row in near] == ["red apple", "green apple", "green apple pie"]


def test_nearness_can_be_the_embedders() -> None:
    talker = Talker(lambda prompt: last(prompt).upper())
    prompted = Prompted(shots=[2], selection=["nearest"], similarity="embedder")
    assert prompted.get_required_models() == ("embedder",) and Prompted().get_required_models() == ()
    list(prompted.answer(job(Shouting(), talker, rows=shouted("t", "hare"))))
    assert talker.prompts == ["\nS: Shout.\nU: gnu\nA: GNU\nU: hen\nA: HEN\nU: hare"]


def test_fixed_examples_are_the_same_for_all_and_stand_for_clusters() -> None:
    train = shouted("r", "aaa aaa", "aaa aab", "aaa aac", "zzz zzz", "zzz zzy")
    shots = FewShotSelector(train, lambda row: row["text"], fit_tfidf_embedder([row["text"] for row in train]), 7)
    far, near = (row["text"][0] for row in shots.select_fixed(2))
    assert (far, near) == ("z", "a")
    assert shots.select_fixed(2) == shots.select_fixed(2)


def test_fixed_examples_of_labels_take_each_label_in_turn() -> None:
    train = rows("r", *((f"good {n}", "glad") for n in range(5)), *((f"bad {n}", "sad") for n in range(3)))
    shots = FewShotSelector(train, lambda row: row["text"], fit_tfidf_embedder([row["text"] for row in train]), 7)
    assert [row["loud"] for row in shots.select_fixed(3, lambda row: row["loud"])] == ["glad", "sad", "glad"]


def test_the_budget_drops_the_least_similar_examples_and_counts_them() -> None:
    talker = Talker(lambda prompt: last(prompt).upper())
    work = job(Shouting(), talker, rows=shouted("t", "hare"), validation=[])
    list(Prompted(shots=[4], selection=["nearest"], similarity="embedder", max_prompt_tokens=50).answer(work))
    (prompt,) = talker.prompts
    assert prompt == "\nS: Shout.\nU: gnu\nA: GNU\nU: hen\nA: HEN\nU: hare" and len(prompt) <= 50
    assert work.facts["dropped"] == 2 and work.facts["over_budget"] == 0


def test_a_question_longer_than_the_budget_is_asked_and_said() -> None:
    voice = Voice()
    work = job(Shouting(), Talker(lambda prompt: "x"), voice, rows=shouted("t", "h" * 99), validation=[])
    list(Prompted(shots=[2], selection=["fixed"], max_prompt_tokens=50).answer(work))
    assert work.facts["over_budget"] == 1 and "1 prompt exceeds max_prompt_tokens (50)" in voice.notes[-1]


def test_an_instruction_replaces_the_system_message(tmp_path: Path) -> None:
    (tmp_path / "how.txt").write_text("Louder, about {text}!\n")
    row = shouted("t", "owl")[0]
    assert PromptBuilder(
        Shouting(), "Louder, about {text}!"
    ).build_prompt_chat(row)[0] == Message("system", "Louder, about owl!")
    with pytest.raises(ValueError, match=r"has {words}, which is not a column; available: loud, text"):
        PromptBuilder(Shouting(), "{words}").build_prompt_chat(row)
    with pytest.raises(ValidationError, match="give either `instruction` or `instruction_file`"):
        Prompted(instruction="a", instruction_file=Path("how.txt"))


class Schooled(Shouting):
    """A task whose system message belongs to the row, and whose grammar has capital letters alone."""

    kind = "schooled"

    def get_templates(self) -> dict[str, str]:
        return {"system": "Of {loud}.", "prompt": "{text}", "target": "{loud}"}

    def build_grammar(self, row: Row, tables: object) -> Grammar:
        return Grammar("start: /[A-Z]+/")


def test_an_example_brings_a_system_message_of_its_own() -> None:
    owl, pig = shouted("t", "owl", "pig")
    said = PromptBuilder(Schooled()).build_prompt_chat(owl, [pig])
    assert [message.content for message in said] == ["Of OWL.", "Of PIG.\n\npig", "PIG", "owl"]


def test_the_grammar_constrains_prompting_too() -> None:
    work = job(Schooled(), Talker(lambda prompt: "yes: OWL"), rows=shouted("t", "owl"))
    assert [answer.output for answer in Prompted(shots=[0]).answer(work)] == ["OWL"]


def test_a_grammar_that_is_none_is_an_error() -> None:
    class Broken(Schooled):
        def build_grammar(self, row: Row, tables: object) -> Grammar:
            return Grammar("start: nowhere")

    with pytest.raises(ValueError, match="invalid grammar"):
        list(Prompted(shots=[0]).answer(job(Broken(), Talker(lambda prompt: "x"))))


MOODS = {"train": rows("r", ("fine day", "glad"), ("wet day", "sad"), ("dull day", "sad")),
         "validation": rows("v", ("a fine one", "glad"), ("so wet", "sad")), "rows": rows("t", ("fine!", "glad"))}


def mood(prompt: str, choice: str) -> float:
    """Likes `sad` whatever is asked, and knows what `fine` and `wet` mean."""
    meant = {"fine": "glad", "wet": "sad"}
    known = any(word in last(prompt) and choice == mood for word, mood in meant.items())
    return (3.0 if choice == "sad" else 0.0) + (2.0 if known else 0.0)


def test_labels_are_weighed_and_calibration_takes_the_bias_out() -> None:
    talker = Talker(str, mood)
    work = job(Moody(), talker, **MOODS)
    (answer,) = Prompted(shots=[0]).answer(work)
    assert work.facts["reading"] == "calibrated" and sum(answer.output.values()) == pytest.approx(1)
    assert answer.output["glad"] == pytest.approx(exponentiate_logprobs([2, 0])[0])
    assert "Answer with exactly one of these, and nothing else: glad; sad" in talker.prompts[0]


def test_calibration_is_division_by_what_is_said_to_nothing() -> None:
    chances = exponentiate_logprobs(calibrate_logprobs([-1.0, -2.0], [[-1.0, -2.0]]))
    assert chances == pytest.approx([0.5, 0.5])


def test_a_text_of_few_is_weighed_not_written() -> None:
    class Told(Moody):
        output_type = "text"

    (answer,) = Prompted(shots=[0, 2]).answer(job(Told(), Talker(str, mood), **MOODS))
    assert answer.output == "glad"


def test_rankings_can_not_be_prompted_for() -> None:
    class Ranks(Shouting):
        output_type = "ranking"

    with pytest.raises(ValueError, match="'ranking' answers"):
        list(Prompted().answer(job(Ranks())))


@pytest.mark.parametrize(
    ("said", "meant"),
    [(" a b ", "a b"), ("```sql\nSELECT 1\n```", "SELECT 1"), ("```\nSELECT 1", "SELECT 1"), ("a ```b```",) * 2],
)
def test_a_fence_around_an_answer_is_none_of_it(said: str, meant: str) -> None:
    assert strip_code_fence(said) == meant


def test_a_real_decoder_answers_both_forms_within_its_grammar(tmp_path: Path) -> None:
    base = tiny_decoder(tmp_path)
    texts = replace(job(Schooled(), validation=[]), base=base, kit_loader=load_toolbox)
    prompted = Prompted(shots=[2], selection=["nearest"], max_new_tokens=8)
    said = [answer.output for answer in prompted.answer(texts)]
    assert said == [answer.output for answer in prompted.answer(texts)] and all(text.isupper() for text in said)
    moods = replace(job(Moody(), **MOODS), base=base, kit_loader=load_toolbox)
    (answer,) = Prompted(shots=[0, 2]).answer(moods)
    assert set(answer.output) == {"glad", "sad"} and sum(answer.output.values()) == pytest.approx(1)
    assert len(moods.facts["tried"]) == 2 * 2 + 1


def test_sets_of_labels_are_written_as_a_sorted_list_within_a_grammar() -> None:
    task = load_installed_registry().make_plugin("task", {"kind": "classifier", "multi_label": True})
    sets = [("fine day", ["glad"]), ("wet", ["sad", "wet"]), ("hm", [])]
    train, test = ([Row(f"{part}{n}", {"text": text, "label": labels}, HERE) for n, (text, labels) in enumerate(sets)]
                   for part in "rt")
    talker = Talker(lambda prompt: '["wet", "glad", "sad"]' if last(prompt).startswith("wet") else '[] or ["glad"]')
    work = job(task, talker, train=train, validation=[], rows=test)  # type: ignore[arg-type]
    answers = list(Prompted(shots=[3], selection=["fixed"]).answer(work))
    # The grammar lets no label stand before one that comes earlier.
    assert [list_given_labels(answer.output) for answer in answers] == [(), ("wet",), ()]
    assert answers[1].output == {"glad": [0.0, 0.5], "sad": [0.0, 0.5], "wet": [1.0, 0.5]}
    assert f"{SET_INSTRUCTION}glad; sad; wet" in talker.prompts[0] and '\nA: ["sad", "wet"]' in talker.prompts[0]


def test_the_grammar_of_sets_has_every_sorted_list_and_no_other() -> None:
    labels = ("a", 'b "q"', "c\\d", "طقس")
    grammar = build_label_set_grammar(labels)
    lists = [list(some) for size in range(5) for some in combinations(labels, size)]
    assert all(grammar.accepts(json.dumps(some, ensure_ascii=False)) for some in lists) and len(lists) == 16
    assert not any(grammar.accepts(text) for text in ('["طقس", "a"]', '["a", "a"]', '["z"]', '["a",]', ""))
    assert build_label_set_grammar(()).accepts("[]")
    given = [list_given_labels(parse_label_set(text, labels)) for text in ('["a", "z"]', 'it is "a"', "3", '["طقس"]')]
    assert given == [("a",), ("a",), (), ("طقس",)]
