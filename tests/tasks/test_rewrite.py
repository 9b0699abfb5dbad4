"""The query rewriter: its source, what the model reads, its audit and slices, and its two simplest rivals."""

import json
from pathlib import Path

import pytest
from tiny_parts import Voice

from factory.api import Answer, AnswerJob, Job, Message, Provenance, Row, RowsJob
from factory.errors import InputError
from factory_rewrite.conversations import Conversations
from factory_rewrite.rewrite_baselines import ConcatenateBaseline, CopyBaseline
from factory_rewrite.task import INSTRUCTION, QueryRewriter, classify_reference

FERRY = {
    "id": "ferry", "topic": "The ferry", "turns": [
        {"question": "When does the ferry run?", "rewrite": "When does the ferry run?", "answer": "From April."},
        {"question": "And in winter?", "rewrite": "When does the ferry run in winter?", "answer": "It rests."},
        {"question": "What is it called?", "rewrite": "What is the ferry called?", "answer": "Alma."},
    ],
}


def gathered(folder: Path, *records: object, **fields: object) -> list[Row]:
    (folder / "d.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    return list(
        Conversations(**{"file": "d.jsonl", **fields}).iter_rows(Job(7, Voice(), folder))
    )  # type: ignore[arg-type]


def asked(
    history: list[str], question: str = "And in winter?", rewrite: str = "When in winter?", **more: object
) -> Row:
    return Row("a", {"history": history, "question": question, "rewrite": rewrite, **more}, Provenance("parts"))


def prepared(row: Row, **fields: object) -> Row:
    (made,) = QueryRewriter(**fields).prepare(RowsJob(7, Voice(), Path(), rows=[row]))  # type: ignore[arg-type]
    return made


def test_a_dialogue_becomes_questions_with_their_history_and_answers_as_passages(tmp_path: Path) -> None:
    rows = gathered(tmp_path, FERRY, licence="CC0-1.0")
    questions = [row for row in rows if not row.table]
    passages = {row.id: row["text"] for row in rows if row.table == "passages"}
    assert [row.id for row in questions] == ["ferry#2", "ferry#3"]
    assert questions[0]["history"] == ["When does the ferry run?", "From April."]
    assert [passages[name] for name in questions[1]["relevant"]] == ["Alma."] and len(passages) == 3
    assert {row.group for row in rows} == {"ferry"} and rows[0].provenance.licence == "CC0-1.0"
    assert rows[0].columns == {"title": "The ferry", "text": "From April."}


def test_the_first_question_is_a_row_on_request(tmp_path: Path) -> None:
    first = next(row for row in gathered(tmp_path, FERRY, openings="keep") if not row.table)
    assert first.id == "ferry#1" and first["history"] == [] and first["question"] == first["rewrite"]


@pytest.mark.parametrize(("record", "said"), [
    ({"id": "x", "topic": "t"}, "d.jsonl:1: turns: expected a list of turns"),
    ({"topic": "t", "turns": FERRY["turns"]}, "d.jsonl:1: id: no such field; available: topic, turns"),
    ({"id": "x", "topic": " ", "turns": FERRY["turns"]}, "d.jsonl:1: topic: expected a text, got ' '"),
    ({"id": "x", "topic": "t", "turns": ["no"]}, "turns[0]: expected an object {…}, got a str"),
    ({"id": "x", "topic": "t", "turns": [{"question": "q", "answer": "a"}]}, "turns[0]: rewrite: no such field"),
])
def test_what_is_wrong_in_the_file_is_named_with_its_place(record: object, said: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"d\.jsonl:1") as error:
        gathered(tmp_path, record)
    assert said in str(error.value)


def test_the_model_reads_a_line_for_each_turn_and_the_question_last() -> None:
    row = prepared(asked(["When does\nit run?", "From April."]))
    assert row["conversation"] == "Q: When does it run?\nA: From April.\nQ: And in winter?"
    assert QueryRewriter().render_messages(row) == (
        Message("system", INSTRUCTION), Message("user", row["conversation"])
    )
    assert QueryRewriter().render_target(row) == "When in winter?"


def test_of_a_long_history_the_opening_and_the_last_turns_stay() -> None:
    history = [f"turn {number}" for number in range(8)]
    kept = prepared(asked(history), opening=2, turns=2)["conversation"].splitlines()
    assert kept == ["Q: turn 0", "A: turn 1", "Q: turn 6", "A: turn 7", "Q: And in winter?"]
    assert prepared(asked(history), opening=0, turns=3)["conversation"].startswith("A: turn 5\nQ: turn 6\n")
    assert prepared(asked(history), opening=0, turns=0)["conversation"] == "Q: And in winter?"
    assert prepared(asked(history), opening=8, turns=8)["conversation"].count("turn") == 8
    assert prepared(asked(["one two three"]), words=2)["conversation"].startswith("A: one two …\n")


def test_a_history_that_is_no_list_of_texts_is_refused() -> None:
    with pytest.raises(InputError, match="row 'a': history: expected a list of texts"):
        prepared(asked("When? From April."))  # type: ignore[arg-type]


def test_the_audit_names_empty_rewrites_and_passages_that_are_not_there() -> None:
    rows = [asked([], rewrite=" "), asked([], relevant={"p9": 1})]
    passages = {"p1": Row("p1", {"text": "x"}, Provenance("parts"), table="passages")}
    found = list(QueryRewriter().audit(RowsJob(7, Voice(), Path(), {"passages": passages}, rows=rows)))
    assert [(each.check, each.text) for each in found] == [
        ("empty", "rewrite is empty"), ("missing", "relevant passage 'p9' is not in the side table"),
    ]


def test_a_row_is_shown_with_the_reference_where_the_answer_differs() -> None:
    row = prepared(asked(["When does it run?", "From April."]))
    told = "Q: When does it run?\n  A: From April.\n  Q: And in winter?\n  → "
    task = QueryRewriter()
    assert task.describe_row(row, {}, None) == f"{told}When in winter?"
    assert task.describe_row(row, {}, Answer("a", "when in winter")) == f"{told}when in winter"
    assert task.describe_row(row, {}, Answer("a", "Why?")) == f"{told}Why?\n  * When in winter?"


def test_slices_say_how_long_the_history_is_and_what_the_question_leans_on() -> None:
    task = QueryRewriter()
    assert task.get_row_slices(asked(["q", "a"])) == {
        "history": "1 exchange", "needs": "a rewrite", "refers by": "an ellipsis"
    }
    assert task.get_row_slices(asked([], "Who?", "who"))["refers by"] == "nothing"
    assert classify_reference("Where was it built?") == classify_reference("And him?") == "a pronoun"
    assert classify_reference("What about the red one in the corner?") == "an ellipsis"
    assert classify_reference("Does the second room have a bath?") == "a demonstrative"
    assert classify_reference("Is breakfast included in the price?") == "context alone"


def test_a_person_asks_with_or_without_a_history() -> None:
    task = QueryRewriter()
    row = task.build_query_row({"query": "And in winter?", "history": "When does it run?\n\nFrom April.\n"})
    assert row["conversation"] == "Q: When does it run?\nA: From April.\nQ: And in winter?"
    assert task.build_query_row({"query": "Q: When does it run? A: From April. Q: And in winter?"}) == row
    assert task.build_query_row({"query": "Who?"})["conversation"] == "Q: Who?"
    assert task.build_query_row({"query": "Who?", "history": ["q", "a"]})["history"] == ["q", "a"]
    assert next(iter(task.prepare(RowsJob(7, Voice(), Path(), rows=[row])))) == row
    with pytest.raises(ValueError, match="query: expected a text"):
        task.build_query_row({"query": " "})
    assert task.format_answer(row, {}, Answer("question", "When in winter?")) == "When in winter?"


def test_copying_and_concatenating_answer_without_a_model() -> None:
    rows = [asked(["When does it run?", "From April."]), asked([], "Who?")]
    work = AnswerJob(
        7, Voice(), Path(), rows=rows, train=[], validation=[], base=None, task=QueryRewriter(), objective=None,
        # type: ignore[arg-type]
        artifact=None,
    )
    assert [answer.output for answer in CopyBaseline().answer(work)] == ["And in winter?", "Who?"]
    assert [answer.output for answer in ConcatenateBaseline().answer(work)] == [
        "When does it run? From April. And in winter?", "Who?",
    ]
