"""A teacher labels texts that nobody has labelled: votes, doubt, and no way into the test set."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from loopback import Play, Server, serving
from synth_parts import Plain, asking, lines, row, run
from tiny_parts import Voice

from factory.api import RowsJob, Task
from factory_synth.label import TeacherLabeller, count_votes, find_nearest_examples

ROWS = [row("a", text="it is shut", label="hours"), row("b", text="card gone", label="card")]
FILE = {"file": "raw.jsonl"}


class Sorted(Plain):
    """A task of texts and labels."""

    kind = "sorted"
    columns = ("text", "label")


def voting(
    server: Server, home: Path, synthesizer: TeacherLabeller, voice: Voice | None = None, rows: Any = ROWS
) -> list[Any]:
    return run(synthesizer, rows, voice, root=home, task=Sorted(), **asking(server, home, concurrency=1))


def says(**labels: str) -> Play:
    """Votes by the first word of the text: `open="hours hours card"` says these in turn."""
    turns: Counter[str] = Counter()

    def say(body: dict[str, Any]) -> str:
        word = next(m["content"] for m in reversed(body["messages"]) if m["content"].startswith("Text: ")).split()[1]
        turns[word] += 1
        return labels[word].split()[turns[word] - 1]

    return Play(say)


def raw(home: Path, *texts: str) -> None:
    lines(home / "raw.jsonl", *({"text": text} for text in texts))


def test_the_frequent_answer_is_the_label_and_division_is_a_doubt(tmp_path: Path) -> None:
    raw(tmp_path, "open on Sunday?", "lost my card")
    voice = Voice()
    with serving(otherwise=says(open="hours card hours", lost="card card card")) as server:
        sunday, card = voting(server, tmp_path, TeacherLabeller(texts=FILE), voice)
    assert (sunday["label"], card["label"]) == ("hours", "card")
    assert sunday.provenance.detail["votes"] == {"hours": 2, "card": 1}
    assert sunday.provenance.detail["doubt"] == "votes 2:1" and "doubt" not in card.provenance.detail
    assert (card.provenance.source, card.provenance.line, card.provenance.generator) == ("raw.jsonl", 2, "label")
    assert "doubtful labels: 1 of 2; their rows were kept and queued first for review" in voice.notes


def test_doubtful_rows_may_be_left_out_and_two_of_three_may_do(tmp_path: Path) -> None:
    raw(tmp_path, "open on Sunday?")
    with serving(otherwise=says(open="hours card hours")) as server:
        assert voting(server, tmp_path, TeacherLabeller(texts=FILE, unsure="drop")) == []
        sure, = voting(server, tmp_path, TeacherLabeller(texts=FILE, unsure="drop", min_agreement=0.66))
    assert "doubt" not in sure.provenance.detail and len(server.asked) == 3


def test_the_prompt_names_the_classes_in_another_order_each_time_with_examples(tmp_path: Path) -> None:
    raw(tmp_path, "open on Sunday?")
    choices = {"hours": "when it is open", "card": "a lost card", "other": ""}
    with serving(otherwise=says(open="hours " * 9)) as server:
        voting(
            server, tmp_path,
            TeacherLabeller(texts=FILE, choices=choices, votes=9, shots=2, description="You sort mail.")
        )
    systems = [asked.body["messages"][0]["content"] for asked in server.asked]
    assert len(set(systems)) > 2 and all(one.startswith("You sort mail. Read") for one in systems)
    assert all("- hours: when it is open" in one and "- other" in one for one in systems)
    shown = [each["content"] for each in server.asked[0].body["messages"][1:-1]]
    assert sorted(shown) == ["Text: card gone\nClass:", "Text: it is shut\nClass:", "card", "hours"]


def test_examples_are_the_rows_most_like_the_text_the_nearest_last() -> None:
    rows = [row(f"r{n}", text=text) for n, text in enumerate(["my card", "open now", "are you open", "lost"])]
    texts = [one["text"] for one in rows]
    near, far = find_nearest_examples(["are you open on Sunday", "!"], rows, texts, 2)
    assert [one.id for one in near] == ["r1", "r2"] and [one.id for one in far] == ["r1", "r0"]
    assert find_nearest_examples(["x"], rows, texts, 0) == [[]] == find_nearest_examples(["x"], [], [], 3)


def test_texts_that_rows_have_already_are_not_paid_for(tmp_path: Path) -> None:
    raw(tmp_path, "It is shut!", "open on Sunday?", "open  on sunday")
    voice = Voice()
    with serving(otherwise=says(open="hours " * 3)) as server:
        assert len(voting(server, tmp_path, TeacherLabeller(texts=FILE), voice)) == 1
    assert len(server.asked) == 3 and "2 rejected: repeats a known text (2" in voice.notes[0]


def test_rows_that_were_made_without_a_label_get_one_in_their_place(tmp_path: Path) -> None:
    bare = row("m", "g", text="open on Sunday?", label="")
    with pytest.raises(ValueError, match="move unlabelled texts to a file and set `texts`"):
        voting(serving, tmp_path, TeacherLabeller(), rows=[*ROWS, bare])  # type: ignore[arg-type]
    made = bare.with_provenance_detail(order="x")
    made = type(made)(**{**made.to_json(), "provenance": type(made.provenance)("s", generator="from-description")})
    with serving(otherwise=says(open="hours " * 3)) as server:
        one, = voting(server, tmp_path, TeacherLabeller(), rows=[*ROWS, made])
    assert (one.id, one["label"], one.provenance.generator) == ("m", "hours", "from-description")
    assert one.provenance.detail["votes"] == {"hours": 3} and one.provenance.detail["labelled"]["model"] == "big"


def test_an_answer_that_is_no_class_is_a_vote_lost(tmp_path: Path) -> None:
    raw(tmp_path, "open on Sunday?")
    voice = Voice()
    with serving(otherwise=says(open="hours dunno dunno dunno dunno")) as server:
        one, = voting(server, tmp_path, TeacherLabeller(texts=FILE, votes=3), voice)
    assert one["label"] == "hours" and one.provenance.detail["doubt"] == "votes 1, 2 failed"
    assert "request failed" in voice.notes[0]


def test_votes_are_counted_alike_whatever_their_order() -> None:
    assert count_votes([], 3, 1.0) is None
    tied = count_votes(["b", "a"], 2, 0.5)
    assert tied is not None and (tied.label, tied.doubt) == ("a", "votes 1:1")
    lost = count_votes(["a", "a"], 3, 0.7)
    assert lost is not None and lost.doubt == "votes 2, 1 failed"


def test_a_file_that_is_wrong_is_told_by_line(tmp_path: Path) -> None:
    lines(tmp_path / "raw.jsonl", {"text": "open"}, {"body": "shut"})
    with pytest.raises(ValueError, match=r"raw.jsonl:2: text: expected a text; available fields: body"):
        voting(serving, tmp_path, TeacherLabeller(texts=FILE))  # type: ignore[arg-type]


def test_plain_text_files_and_choices_are_enough_without_training_rows(tmp_path: Path) -> None:
    (tmp_path / "raw.txt").write_text("open on Sunday?\n\nlost my card\n")
    with serving(otherwise=says(open="hours", lost="card")) as server:
        made = voting(
            server, tmp_path, TeacherLabeller(texts={"file": "raw.txt"}, votes=1, choices=["hours", "card"]), rows=[]
        )
        assert [one["label"] for one in made] == ["hours", "card"] and server.asked[0].body["temperature"] == 0
        with pytest.raises(ValueError, match="at least two labels are needed, got 0"):
            voting(server, tmp_path, TeacherLabeller(texts={"file": "raw.txt"}), rows=[])


def test_the_task_says_what_texts_need(tmp_path: Path) -> None:
    class Both(Sorted):
        columns = ("text", "context", "label")

    job: RowsJob = RowsJob(7, Voice(), tmp_path, task=Both(), rows=ROWS)
    raw(tmp_path, "open on Sunday?")
    assert isinstance(job.task, Task)
    with pytest.raises(ValueError, match="context: expected a text"):
        list(TeacherLabeller(texts=FILE, prompt="{text}").synthesize(job))
