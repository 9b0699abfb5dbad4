"""Rows from a description, and instructions from instructions: what is ordered, what is new, when it ends."""

import json
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from loopback import Play, serving
from pydantic import ValidationError
from synth_parts import Plain, asking, printed, row, run
from tiny_parts import Voice

from factory.api import normalise
from factory_evals.rouge import compute_rouge_l
from factory_synth.from_description import FromDescription
from factory_synth.self_instruct import RougePool, SelfInstruct
from factory_synth.stratified_attributes import draw_stratified_values

ABOUT = "Messages of customers of a small bank."
SEEDS = [row("s1", text="my card is gone", label="card"), row("s2", text="are you open today", label="hours")]
WORDS = [
    "amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "heath", "inlet", "jetty", "knoll", "lagoon",
]


def orders(**changed: Any) -> FromDescription:
    fields: dict[str, Any] = {"description": ABOUT, "count": 6, "writes": {"text": "the message"}, **changed}
    return FromDescription(**fields)


class Writer:
    """Writes a text of its own for every request, or what it is told first."""

    def __init__(self, *first: str) -> None:
        self.first, self.count = list(first), 0

    def __call__(self, body: dict[str, Any]) -> Play:
        self.count += 1
        own = f"{WORDS[self.count % 12]} {WORDS[self.count // 12]} {self.count * 7919}"
        return Play(json.dumps({"text": self.first.pop(0) if self.first else own}))


def test_an_order_names_topic_attributes_and_manner_with_examples_of_its_label(tmp_path: Path) -> None:
    made_by = orders(attributes={"label": {"card": 1}}, keep=["label"], topics=["fees"], mutators={"typo": 1}, count=1)
    with serving(otherwise=Writer()) as server:
        one, = run(made_by, SEEDS, **asking(server, tmp_path))
    system, user = (message["content"] for message in server.asked[0].body["messages"])
    assert ABOUT in system and "- topic: fees\n- label: card\n- manner: with two or three typing mistakes" in user
    assert "- my card is gone" in user and "are you open" not in user and "`text`: the message" in user
    assert one["label"] == "card" and one.provenance.parents == ("s1",) and one.group == ""
    assert one.provenance.detail["order"] == {"topic": "fees", "label": "card", "manner": "typo"}


def test_attributes_come_as_often_as_their_weights_say(tmp_path: Path) -> None:
    attributes = {"label": {"card": 3, "hours": 1}, "style": ["terse", "chatty"]}
    made_by = orders(count=40, attributes=attributes, keep=["label"])
    with serving(otherwise=Writer()) as server:
        made = run(made_by, [], **asking(server, tmp_path))
    assert Counter(one["label"] for one in made) == {"card": 30, "hours": 10}
    crossed = Counter((one["label"], one.provenance.detail["order"]["style"]) for one in made)
    assert len(crossed) == 4 and min(crossed.values()) >= 2


def test_what_is_not_new_is_ordered_again_until_the_tries_are_spent(tmp_path: Path) -> None:
    voice, writer = Voice(), Writer("My card is gone!!", "a first text", "a first text", "all well here")
    with serving(otherwise=writer) as server:
        made = run(orders(count=3), SEEDS, voice, **asking(server, tmp_path, concurrency=1))
    assert len(made) == 3 and len(server.asked) == 5
    assert "rows generated: 3 of 3; 2 rejected: repeats a known text (2, such as 'My card is gone!!')" in voice.notes
    with serving(otherwise=lambda body: Play('{"text": "are you open todays"}')) as server:
        assert run(orders(count=2, requests_per_row=2), SEEDS, voice, **asking(server, tmp_path / "b")) == []
    assert len(server.asked) == 4 and voice.notes[-1].startswith(
        "rows generated: 0 of 2; 4 rejected: is a near duplicate of a known text (4, "
    )


def test_with_an_embedder_the_same_in_other_words_is_not_new(tmp_path: Path) -> None:
    voice, said = Voice(), {"text": "gone is the card that was mine my"}
    with serving(otherwise=lambda body: Play(json.dumps(said))) as server:
        assert len(run(orders(count=1, requests_per_row=1), SEEDS, **asking(server, tmp_path))) == 1
        assert run(orders(count=1, requests_per_row=1, max_cosine=0.7), SEEDS, voice, **asking(server, tmp_path)) == []
    assert "means the same as a known text" in voice.notes[-1]


def test_an_answer_of_another_form_is_counted(tmp_path: Path) -> None:
    voice = Voice()
    with serving(otherwise=lambda body: Play('{"message": "hello"}')) as server:
        assert run(orders(count=1, requests_per_row=1), [], voice, **asking(server, tmp_path)) == []
    assert "request failed" in voice.notes[-1]


def test_more_rows_cost_only_the_difference(tmp_path: Path) -> None:
    attributes = {"label": ["card", "hours", "fee"]}
    with serving(otherwise=Writer()) as server:
        few = run(orders(count=10, attributes=attributes), SEEDS, **asking(server, tmp_path))
        many = run(orders(count=16, attributes=attributes), SEEDS, **asking(server, tmp_path))
    assert len(server.asked) == 16 and many[:10] == few


def test_of_several_columns_the_task_s_text_is_the_one_that_must_be_new(tmp_path: Path) -> None:
    said = Play(json.dumps({"answer": "my card is gone", "text": "something else"}))
    writes = {"answer": "the reply", "text": "the message"}
    with serving(otherwise=lambda body: said) as server:
        one, = run(orders(count=1, writes=writes), SEEDS, **asking(server, tmp_path))
    assert one.columns == {"answer": "my card is gone", "text": "something else"}
    assert "- my card is gone" in server.asked[0].text or "- are you open" in server.asked[0].text


def test_fields_that_do_not_fit_are_refused() -> None:
    for wrong, told in (
        ({"keep": ["label"]}, "keep: 'label' is not an attribute"),
        ({"attributes": {"topic": ["x"]}}, "is reserved; use"),
        ({"attributes": {"a": {"x": 0}}}, "at least one positive weight"), ({"empty": ["text"]}, "is listed twice"),
    ):
        with pytest.raises(ValidationError, match=told):
            orders(**wrong)


def test_a_column_that_the_task_needs_has_to_come_from_somewhere(tmp_path: Path) -> None:
    class Sorted(Plain):
        columns = ("text", "label")

    with serving(otherwise=Writer()) as server:
        with pytest.raises(ValueError, match="synthetic rows lack label, required by the task"):
            run(orders(), SEEDS, task=Sorted(), **asking(server, tmp_path))
        made = run(orders(empty=["label"]), SEEDS, task=Sorted(), **asking(server, tmp_path))
    assert [one["label"] for one in made] == [""] * 6


def test_deals_keep_to_their_weights_at_every_length_and_do_not_bind_each_other() -> None:
    first = list(islice(draw_stratified_values({"a": 2, "b": 1, "c": 0}, "x"), 300))
    for length in (3, 30, 300):
        assert abs(Counter(first[:length])["a"] - length * 2 / 3) <= 1.5
    both = Counter(
        islice(
            zip(
                draw_stratified_values({"a": 1, "b": 1}, "x"), draw_stratified_values({"a": 1, "b": 1}, "y"),
                strict=False
            ), 400
        )
    )
    assert min(both.values()) > 60 and "c" not in first


TASK = {"instruction": "Name three rivers of Norway.", "input": "", "output": "Glomma, Tana, Numedalslågen."}
TASKS = [row("t1", instruction="Write a haiku about rain.", input="", output="…"),
         row("t2", instruction="Sum these numbers.", input="1 2 3", output="6")]


def invents(*tasks: dict[str, str]) -> Play:
    return Play(json.dumps({"tasks": [{**TASK, **task} for task in tasks]}))


def test_tasks_that_are_new_join_the_pool_and_are_shown_in_later_requests(tmp_path: Path) -> None:
    voice = Voice()
    first = invents({}, {"instruction": "Write a haiku about the rain."}, {"instruction": "Draw a map of Norway."},
                    {"instruction": "Name three rivers of Norway, please."})
    with serving(first, otherwise=invents({"instruction": "Explain why bread rises in an oven."})) as server:
        made = run(SelfInstruct(count=2, tasks_per_request=4), TASKS, voice, **asking(server, tmp_path, concurrency=1))
    assert [one["instruction"] for one in made] == [TASK["instruction"], "Explain why bread rises in an oven."]
    shown = server.asked[1].text
    assert "Sum these numbers. | Input: 1 2 3 | Output: 6" in shown and TASK["instruction"] in shown
    assert set(made[1].provenance.parents) == {"t1", "t2", made[0].id}
    assert "tasks generated: 2 of 2; 3 rejected: is a near duplicate of a known task (2, " in voice.notes[-1]


def test_a_teacher_that_repeats_itself_is_asked_no_further_than_said(tmp_path: Path) -> None:
    voice = Voice()
    with serving(otherwise=invents({})) as server:
        assert len(
            run(
                SelfInstruct(count=8, tasks_per_request=2, max_request_ratio=2), TASKS, voice,
                **asking(server, tmp_path)
            )
        ) == 1
    assert len(server.asked) == 8 and voice.notes[-1].startswith("tasks generated: 1 of 8; 7 rejected")


def test_an_input_may_be_part_of_the_instruction(tmp_path: Path) -> None:
    given = invents({"instruction": "Sort these words by length.", "input": "owl ox"})
    with serving(otherwise=given) as server:
        one, = run(SelfInstruct(count=1, input=""), TASKS, **asking(server, tmp_path))
    assert one["instruction"] == "Sort these words by length.\n\nowl ox" and "input" not in one.columns


def test_rouge_l_is_of_the_longest_common_subsequence() -> None:
    assert compute_rouge_l(
        normalise("The cat sat on the mat.").split(), normalise("the cat on a mat").split()
    ) == pytest.approx(2 * 4 / 11)
    assert compute_rouge_l([], ["a"]) == 0 and compute_rouge_l(["a"], ["a"]) == 1
    pool = RougePool(["Write a haiku about rain."])
    assert pool.has_near_text(
        "write a HAIKU about rain", 0.7
    ) and not pool.has_near_text("rain about haiku a write", 0.7)


def test_orders_do_not_depend_on_the_order_of_hashes() -> None:
    program = """
from test_made import *
from synth_parts import job
made_by = orders(count=30, attributes={"a": ["x", "y", "z"], "b": {"u": 2, "v": 1}})
dealt = list(made_by._draw_orders())
print(dealt, [[row.id for row in shown] for shown in made_by._draw_shown_examples(job(SEEDS), dealt)])"""
    assert printed(program, "1") == printed(program, "2") != ""
