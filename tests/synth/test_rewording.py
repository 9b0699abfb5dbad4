"""Paraphrases and plain texts for a voice: what a teacher's rewording must keep, and what happens when it does not."""

import json
from pathlib import Path

import pytest
from loopback import Play, serving
from synth_parts import asking, lines, row, run, scripted
from tiny_parts import Voice

from factory.errors import UnavailableError
from factory_synth.backtranslate import BacktranslateStyle
from factory_synth.paraphrase import Paraphrase
from factory_synth.rewording_checks import describe_changed_facts

TEXTS = {
    "a": ("When does the Halden branch open?", "hours"), "b": ("My card was charged twice, 40 euros!", "charge"),
    "c": ("how do I close my account", "close"),
}
ROWS = [row(name, f"g-{name}", text=text, label=label) for name, (text, label) in TEXTS.items()]
GOOD = {
    "When does": '"At what time does the Halden branch open?"',
    "My card": "Reworded: You charged my card twice: 40 euros.",
    "how do I": "Sure! Here is a version: I want my account closed, how?",
}


def good(asked: str) -> str:
    return next(said for start, said in GOOD.items() if f"Text: {start}" in asked)


def test_a_rewording_keeps_label_and_group_and_names_its_parent(tmp_path: Path) -> None:
    with scripted(good) as server:
        made = run(Paraphrase(), ROWS, **asking(server, tmp_path))
    assert [one["text"] for one in made] == [
        "At what time does the Halden branch open?", "You charged my card twice: 40 euros.",
        "I want my account closed, how?",
    ]
    assert [(one["label"], one.group, one.provenance.parents) for one in made] == [
        ("hours", "g-a", ("a",)), ("charge", "g-b", ("b",)), ("close", "g-c", ("c",))]
    detail = made[0].provenance.detail
    assert detail["model"] == "big" and len(detail["prompt"]) >= 32 and detail["seed"] == 0
    assert made[0].provenance.generator == "paraphrase" and made[0].provenance.licence == "CC0-1.0"


@pytest.mark.parametrize(("said", "why"), [
    ("when does the Halden branch OPEN", "repeats the text"), ("", "empty"), ("Open?", "much longer or shorter"),
    ("When is the branch going to open?", "loses a name"), ("When does the Halden branch in Oslo open?", "adds a name"),
    ("Do you have an opening at the Halden branch for 3?", "adds a number"),
    ("At what time is Halden open?\n\nReworded: when is it?", "has more lines than the text"),
    ("I'm sorry, but I can't help with the Halden branch.", "declined by the teacher"),
    ("purple monkeys juggle pianos", "drifts from the text"),
])
def test_what_does_not_say_the_same_is_refused_and_told(said: str, why: str, tmp_path: Path) -> None:
    voice = Voice()
    with scripted(lambda asked: said) as server:
        assert run(Paraphrase(), ROWS[:1], voice, **asking(server, tmp_path)) == []
    assert why in voice.notes[-1] and voice.notes[-1].startswith("paraphrases of 1 row generated: 0 of 1;")


def test_numbers_may_change_their_form_but_not_their_value() -> None:
    assert describe_changed_facts(
        "wait two days", "wait 2 days"
    ) == "" == describe_changed_facts("1,200 parts", "1200 parts")
    assert describe_changed_facts("wait two days", "wait three days") == "loses a number"
    assert describe_changed_facts("der Weg zur Bank", "die Strecke zur Bank") == "loses a name"
    assert describe_changed_facts("der Weg zur Bank", "die Strecke zur Bank", check_names=False) == ""


def test_an_embedder_finds_what_drifted(tmp_path: Path) -> None:
    voice = Voice()
    with scripted(lambda asked: "how do I open my accounts") as server:
        assert run(Paraphrase(min_cosine=0.9), ROWS[2:], voice, **asking(server, tmp_path)) == []
        assert len(run(Paraphrase(min_cosine=0.5), ROWS[2:], **asking(server, tmp_path))) == 1
    assert "drifts from the text: cosine below 0.9" in voice.notes[-1] and len(server.asked) == 1


def test_an_edited_row_costs_one_call_and_copies_are_asked_for_in_other_manners(tmp_path: Path) -> None:
    with scripted(good) as server:
        run(Paraphrase(), ROWS, **asking(server, tmp_path))
        changed = [ROWS[0].with_columns(text="When does the Halden branch close?"), *ROWS[1:]]
        run(Paraphrase(), changed, **asking(server, tmp_path))
        assert len(server.asked) == 4 and "close?" in server.asked[-1].text
        run(Paraphrase(copies=3), ROWS[:1], **asking(server, tmp_path))
        assert len({asked.text for asked in server.asked[4:]}) == 2


def test_an_interrupted_synthesis_goes_on_and_pays_nothing_twice(tmp_path: Path) -> None:
    rows = [row(f"r{n}", text=f"where is my parcel number {n}", label="x") for n in range(20, 60)]

    def say(body: dict) -> str:
        return str(body["messages"][-1]["content"]).split("\n")[0].replace("Text: where is my", "tell me of the")

    with serving(*[Play(say)] * 15, *[Play(status=401)] * 25, otherwise=Play(say)) as server:
        with pytest.raises(UnavailableError):
            run(Paraphrase(), rows, **asking(server, tmp_path, retries=0, concurrency=4))
        assert 0 < len(server.served) < 40
        server.script.clear()
        made = run(Paraphrase(), rows, **asking(server, tmp_path, concurrency=4))
    assert len(made) == 40 == len(server.served) and set(server.served.values()) == {1}


def test_rows_do_not_depend_on_how_many_requests_are_under_way(tmp_path: Path) -> None:
    late = iter([0.05, 0.0, 0.02] * 2)
    with serving(otherwise=lambda body: Play(lambda b: good(b["messages"][-1]["content"]), wait=next(late))) as server:
        alone = run(Paraphrase(), ROWS, **asking(server, tmp_path / "a", concurrency=1))
        together = run(Paraphrase(), ROWS, **asking(server, tmp_path / "b", concurrency=3))
    assert alone == together


def test_a_failed_answer_is_counted_and_not_kept(tmp_path: Path) -> None:
    voice = Voice()
    right = Play(lambda body: good(body["messages"][-1]["content"]))
    with serving(Play("", finish="content_filter"), otherwise=right) as server:
        made = run(Paraphrase(), ROWS, voice, **asking(server, tmp_path, concurrency=1))
    assert len(made) == 2 and voice.notes[-1].startswith("paraphrases of 3 rows generated: 2 of 3; 1 rejected")


VOICED = "Kettle on, friend! Your lamp from Bergen sets sail on Friday and lands in 3 days, says the crew."
PLAIN = "The lamp is sent from Bergen on Friday. It arrives in 3 days."


def test_a_plain_text_is_made_for_each_voiced_one_of_a_file(tmp_path: Path) -> None:
    lines(tmp_path / "posts.jsonl", {"text": VOICED, "thread": "t1"}, {"text": "Ahoy! We rest on Sunday."})
    said = {"Kettle": PLAIN, "Ahoy": "We are closed on Monday."}
    voice, made_by = Voice(), BacktranslateStyle(
        texts={"file": "posts.jsonl", "map": {"answer": "text"}, "group": "thread", "licence": "MIT"})
    with scripted(lambda asked: next(v for k, v in said.items() if f"Text: {k}" in asked)) as server:
        one, = run(made_by, [], voice, root=tmp_path, **asking(server, tmp_path))
    assert one.columns == {"answer": VOICED, "neutral": PLAIN} and one.group == "t1"
    assert (one.provenance.source, one.provenance.line, one.provenance.licence) == ("posts.jsonl", 1, "MIT")
    assert voice.notes[-1].startswith(
        "plain texts generated: 1 of 2; 1 rejected: loses a name (1, such as 'We are closed on Monday.')"
    )


def test_the_customer_is_invented_where_a_file_has_none(tmp_path: Path) -> None:
    lines(tmp_path / "posts.jsonl", {"answer": VOICED})
    said = json.dumps({"neutral": PLAIN, "question": "When does my lamp come?"})
    made_by = BacktranslateStyle(texts={"file": "posts.jsonl"}, message="question")
    with scripted(lambda asked: said) as server:
        one, = run(made_by, [], root=tmp_path, **asking(server, tmp_path))
    assert one.columns == {"answer": VOICED, "neutral": PLAIN, "question": "When does my lamp come?"}
    assert server.asked[0].body["response_format"]["type"] == "json_schema"


def test_training_rows_get_a_second_plain_wording(tmp_path: Path) -> None:
    rows = [row("r", "g", question="lamp?", neutral="It comes.", answer=VOICED)]
    with scripted(lambda asked: PLAIN) as server:
        one, = run(BacktranslateStyle(), rows, **asking(server, tmp_path))
        assert run(BacktranslateStyle(seed=1), [rows[0].with_columns(answer=PLAIN)], **asking(server, tmp_path)) == []
    assert one["answer"] == VOICED and one["neutral"] == PLAIN and one.provenance.parents == ("r",) and one.group == "g"
