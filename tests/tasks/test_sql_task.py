"""Rows from people and from the grammar, and the task around them."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from sql_parts import gathered, library, prepared

from factory.api import TEST, Answer, AnswerJob, Artifact, Base, ModelJob, NoOpReporter, RowsJob
from factory.registry.registry import Registry
from factory_contenders.tuned import Tuned
from factory_sql.sources import SqlGrammarSource, SqlGrammarSynthesizer, SqlPairSource
from factory_sql.task import SqlGenerator
from factory_sql.unguarded_contenders import PromptedUnguarded, TunedUnguarded, disable_guard

ASKED = [
    {"question": "Which books cost more than 10?", "sql": "select T.title from BOOKS T where T.price > 10",
     "db": "library"},
    {"question": "Who is from Japan?", "sql": 'SELECT name FROM authors WHERE country = "Japan"', "split": "dev",
     "db": "library"},
    {"question": "What is broken?", "sql": "SELECT nothing FROM books", "db": "library"},
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    library(tmp_path)
    (tmp_path / "asked.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ASKED))
    return tmp_path


def pairs_of(folder: Path, **fields: object):
    return gathered(SqlPairSource(file="asked.jsonl", databases=".", splits={"dev": "test"}, **fields), folder)


def test_rows_of_people_come_in_one_style_with_their_split_and_database(folder: Path) -> None:
    rows, tables = pairs_of(folder)
    assert [row["sql"] for row in rows] == [
        "SELECT title FROM books WHERE price > 10", "SELECT name FROM authors WHERE country = 'Japan'",
    ]
    assert [row.split for row in rows] == ["", TEST]
    assert tables["databases"]["library"]["file"] == "library.sql"
    assert {row.group for row in pairs_of(folder, group="db")[0]} == {"library"}


def test_a_database_that_is_not_there_is_named_with_its_line(folder: Path) -> None:
    (folder / "asked.jsonl").write_text(json.dumps({**ASKED[0], "db": "music"}) + "\n")
    with pytest.raises(ValueError, match=r"asked\.jsonl:1: .*'music'"):
        pairs_of(folder)


def test_rows_of_the_grammar_are_grouped_by_their_sql_and_the_same_anywhere(folder: Path) -> None:
    rows, tables = gathered(SqlGrammarSource(database="library.sql", count=40), folder)
    assert len({row.group for row in rows}) == len(rows) == 40
    assert str(folder) not in json.dumps([row.to_json() for row in [*rows, *tables["databases"].values()]])
    again, _ = gathered(SqlGrammarSource(database="library.sql", count=40), folder)
    assert again == rows


def test_the_synthesizer_adds_prepared_rows_for_the_databases_of_training(folder: Path) -> None:
    rows, tables = pairs_of(folder)
    task = SqlGenerator()
    rows = prepared(task, rows, tables, folder)
    work = RowsJob(seed=7, report=NoOpReporter(), root=folder, tables=tables, rows=rows, task=task)
    made = list(SqlGrammarSynthesizer(count=12).synthesize(work))
    assert len(made) == 12 and {row["db"] for row in made} == {"library"}
    assert all("books(" in row["schema"] and not {row.id} & {each.id for each in rows} for row in made)


def test_a_row_is_asked_with_its_schema_and_answered_with_its_sql(folder: Path) -> None:
    rows, tables = pairs_of(folder)
    task = SqlGenerator()
    first, second = prepared(task, rows, tables, folder)
    assert first["input"] == "library: Which books cost more than 10?"
    assert "books(id, title, author_id -> authors, price, year)" in task.render_messages(first)[-1].content
    assert "country 'Japan'" in second["schema"]
    assert task.render_target(second) == second["sql"] and task.get_row_slices(first)["construct"] == "simple"
    assert not list(
        task.audit(RowsJob(seed=7, report=NoOpReporter(), root=folder, tables=tables, rows=[first, second]))
    )


def test_the_audit_names_sql_that_does_not_run(folder: Path) -> None:
    rows, tables = pairs_of(folder)
    (row, _) = prepared(SqlGenerator(), rows, tables, folder)
    work = RowsJob(
        seed=7, report=NoOpReporter(), root=folder, tables=tables, rows=[row.with_columns(sql="SELECT x FROM books")]
    )
    (finding,) = SqlGenerator().audit(work)
    assert finding.check == "missing" and "no such column: x" in finding.text


def test_a_question_finds_the_only_database(folder: Path) -> None:
    _, tables = pairs_of(folder)
    task = SqlGenerator()
    (row,) = prepared(task, [task.build_query_row({"query": "Which books are from 2010?"})], tables, folder)
    assert row["db"] == "library"
    assert task.format_answer(
        row, tables, Answer(row.id, "SELECT salary FROM books")
    ).endswith("no such column: salary in books")
    with pytest.raises(ValueError, match="available: library"):
        prepared(task, [task.build_query_row({"query": "?", "db": "music"})], tables, folder)


def test_the_guard_can_be_left_out_of_a_task_that_has_one(folder: Path) -> None:
    rows, tables = pairs_of(folder)
    (row, _) = prepared(SqlGenerator(), rows, tables, folder)
    grammar = SqlGenerator().build_grammar(row, tables)
    assert grammar is not None and grammar.accepts("SELECT title FROM books")
    assert not grammar.accepts_prefix("SELECT salary")
    assert disable_guard(SqlGenerator()).build_grammar(row, tables) is None
    reranker = Registry.load().make_plugin("task", {"kind": "reranker"})
    with pytest.raises(ValueError, match="no guard"):
        disable_guard(reranker)  # type: ignore[arg-type]


def test_a_reply_shows_the_first_rows(folder: Path) -> None:
    _, tables = pairs_of(folder)
    (row,) = prepared(
        SqlGenerator(), [SqlGenerator().build_query_row({"query": "What do books cost?"})], tables, folder
    )
    said = SqlGenerator().format_answer(row, tables, Answer(row.id, "SELECT title, price FROM books ORDER BY price"))
    assert said.splitlines()[2:] == ["title   price", "Delta   8", "Fjord   12.5", "Quartz  20"]


class Asked:
    """An objective that only says whether it was given a grammar."""

    def answer(self, job: ModelJob) -> Iterator[Answer]:
        yield from (Answer(row.id, str(job.task.build_grammar(row, job.tables) is not None)) for row in job.rows)


def test_contenders_without_the_guard_decode_without_a_grammar(folder: Path) -> None:
    rows, tables = pairs_of(folder)
    rows = prepared(SqlGenerator(), rows, tables, folder)
    base = Base(folder, "b", "", "", "")
    job = AnswerJob(seed=7, report=NoOpReporter(), root=folder, tables=tables, rows=rows, train=rows, validation=rows,
                    base=base, task=SqlGenerator(), objective=Asked(), artifact=Artifact("adapter", folder, base))
    assert {answer.output for answer in Tuned().answer(job)} == {"True"}
    assert {answer.output for answer in TunedUnguarded().answer(job)} == {"False"}
    assert not TunedUnguarded.in_gate and PromptedUnguarded.is_prompt_only and PromptedUnguarded.in_gate
