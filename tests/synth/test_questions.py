"""Questions to passages: the answer stands in the passage, or the question does not come."""

import json
from pathlib import Path
from typing import Any

import pytest
from loopback import Play, serving
from pydantic import ValidationError
from rerank_parts import BASE
from synth_parts import Plain, asking, row, run
from tiny_parts import Voice

from factory.api import Provenance, Row
from factory_rerank.task import Reranker
from factory_synth.questions_from_documents import QuestionsFromDocuments, find_answer_span

FERRY = "The Halden ferry sails hourly from 6 to 22. Bicycles are free; dogs need a ticket for 4 euros (one way)."
TOWER = "Halden's tower was built in 1702 by Ole Krag. It has 81 steps, and the view is of two countries."


def document(name: str, text: str, group: str = "") -> Row:
    return Row(name, {"text": text}, Provenance("corpus.jsonl", 3, "MIT"), group, table="documents")


TABLES = {"documents": {one.id: one for one in (
    document("d1", FERRY, "halden"), document("d2", TOWER), document("d3", "Too short."))}}


def asks(*pairs: tuple[str, str]) -> Any:
    return Play(json.dumps({"questions": [{"question": question, "answer": answer} for question, answer in pairs]}))


def by_passage(body: dict[str, Any]) -> Play:
    if "ferry sails" in body["messages"][-1]["content"]:
        return asks(("What does a dog cost on the Halden ferry?", "4 Euros (one way)"))
    return asks(("Who built the tower of Halden?", "ole krag"))


def test_a_reranker_gets_queries_that_point_to_their_passage(tmp_path: Path) -> None:
    task = Reranker()
    with serving(otherwise=by_passage) as server:
        made = run(QuestionsFromDocuments(), [], tables=TABLES, task=task, base=BASE, **asking(server, tmp_path))
    assert [(one["query"], one["relevant"]) for one in made] == [
        ("What does a dog cost on the Halden ferry?", {"d1": 1}), ("Who built the tower of Halden?", {"d2": 1})]
    assert set(made[0]["candidates"]) == {"d1", "d2", "d3"} and len(server.asked) == 2
    assert [one.group for one in made] == ["halden", "documents/d2"]
    origin = made[0].provenance
    assert (origin.parents, origin.source, origin.licence) == (("documents/d1",), "corpus.jsonl", "MIT")
    assert origin.detail["answer"] == "4 euros (one way"


@pytest.mark.parametrize(("question", "answer", "why"), [
    ("What does a dog cost?", "5 euros", "answer is not in the passage"),
    ("What does the passage say of dogs?", "4 euros", "mentions the passage itself"),
    ("Is it 4 euros for a dog?", "4 euros", "contains its own answer"),
    ("Bicycles are free", "4 euros", "is copied from the passage"),
])
def test_a_question_that_teaches_something_wrong_is_refused(
    question: str, answer: str, why: str, tmp_path: Path
) -> None:
    voice, tables = Voice(), {"documents": {"d1": TABLES["documents"]["d1"]}}
    with serving(otherwise=asks((question, answer))) as server:
        assert run(QuestionsFromDocuments(), [], voice, tables=tables, **asking(server, tmp_path)) == []
    assert f"1 rejected: {why} (1, " in voice.notes[-1]


def test_questions_that_exist_do_not_come_again(tmp_path: Path) -> None:
    rows, voice = [row("q", query="who built the tower of Halden")], Voice()
    with serving(otherwise=by_passage) as server:
        made = run(QuestionsFromDocuments(), rows, voice, tables=TABLES, **asking(server, tmp_path))
    assert len(made) == 1 and "repeats a known text" in voice.notes[-1]
    assert not any("lack" in note for note in voice.notes)


def test_rows_of_questions_and_answers_from_passages_that_are_rows(tmp_path: Path) -> None:
    class Faqs(Plain):
        text_column = "question"

    made_by = QuestionsFromDocuments(
        table="", passage="page", question="question", answer="answer", evidence="page", relevant="", per_passage=1,
        style="Use key words.")
    with serving(otherwise=asks(("tower steps", "81"), ("tower year", "1702"))) as server:
        one, = run(made_by, [row("p", "g", page=TOWER)], task=Faqs(), **asking(server, tmp_path))
    assert one.columns == {"question": "tower steps", "answer": "81", "page": TOWER} and one.group == "g"
    system, user = (message["content"] for message in server.asked[0].body["messages"])
    assert "Use key words." in system and "Write 1 question." in user


def test_columns_that_earlier_steps_added_are_missed(tmp_path: Path) -> None:
    rows, voice = [row("q", query="old one", relevant={"d1": 1}, negatives=["d2"])], Voice()
    with serving(otherwise=by_passage) as server:
        run(QuestionsFromDocuments(), rows, voice, tables=TABLES, **asking(server, tmp_path))
    assert "synthetic rows lack negatives" in voice.notes[-1]


def test_spans_are_found_in_the_passages_own_words() -> None:
    assert find_answer_span("ole krag", TOWER) == "Ole Krag" and find_answer_span(
        "81 steps and", TOWER
    ) == "81 steps, and"
    assert find_answer_span("170", TOWER) == find_answer_span("", TOWER) == find_answer_span("...", TOWER) == ""


def test_a_question_has_to_point_somewhere(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="a question alone is no training row"):
        QuestionsFromDocuments(relevant="")
    with pytest.raises(ValidationError, match="points into a side table"):
        QuestionsFromDocuments(table="")
    with pytest.raises(ValueError, match="no side table 'documents'; available: none"):
        run(QuestionsFromDocuments(), [])
