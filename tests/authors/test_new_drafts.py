"""Drafts of `factory new spec --from`: each passes `check` and is read to its end, or says what the data lack."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import yaml

from factory.api import Job, NoOpReporter
from factory.errors import InputError
from factory.registry.registry import load_installed_registry
from factory.spec.layers import ResolvedSpec, resolve_spec
from factory.spec.new_spec import render_new_spec

WORDS = ("bill", "card", "parcel", "refund", "login")
REGISTRY = load_installed_registry()


def write_lines(path: Path, *records: Any) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def many(make: Any) -> list[Any]:
    return [make(n, f"my {WORDS[n % 5]} number {n}") for n in range(40)]


def draft(task: str, data: Path, **columns: str) -> ResolvedSpec:
    spec = data.parent / "drafted.yaml"
    spec.write_text(render_new_spec("drafted", task, data, spec, REGISTRY, columns))
    return resolve_spec(spec, registry=REGISTRY)


def count_rows(resolved: ResolvedSpec) -> int:
    job = Job(7, NoOpReporter(), resolved.root)
    return sum(not row.table for row in chain.from_iterable(source.iter_rows(job) for source in resolved.sources))


def chat(user: str, answer: str, **fields: str) -> dict[str, Any]:
    turns = [{"role": "system", "content": "s"}, {"role": "user", "content": user},
             {"role": "assistant", "content": answer}]
    return {"messages": turns, **fields}


def test_chats_become_a_classifier(tmp_path: Path) -> None:
    made = draft("classifier", write_lines(tmp_path / "c.jsonl", *many(lambda n, text: chat(text, "ab"[n % 2]))))
    assert made.sources[0].to_block()["map"] == {"text": "prompt", "label": "target"} and count_rows(made) == 40


@pytest.mark.parametrize("make", [
    lambda n, text: {"question": text, "neutral": f"plain {n}", "answer": f"hey {n}"},
    lambda n, text: {"customer": text, "before": f"plain {n}", "reply": f"hey {n}"},
    lambda n, text: chat(text, f"hey {n}", neutral=f"plain {n}"),
])
def test_a_brand_s_answers_become_a_voice_with_the_embedder_that_it_needs(tmp_path: Path, make: Any) -> None:
    made = draft("brand-voice", write_lines(tmp_path / "v.jsonl", *many(make)))
    assert made.spec.models.embedder and count_rows(made) == 40


@pytest.mark.parametrize("name", ["", "corpus.jsonl", "queries.jsonl"])
@pytest.mark.parametrize("fields", [
    ("id", "query_id", "doc_id", "relevance"), ("_id", "query-id", "corpus-id", "score"),
])
def test_a_corpus_beside_queries_and_qrels_is_found(tmp_path: Path, name: str, fields: tuple[str, ...]) -> None:
    own, query, document, grade = fields
    write_lines(tmp_path / "beir" / "corpus.jsonl", *many(lambda n, text: {own: f"d{n}", "text": text}))
    write_lines(tmp_path / "beir" / "queries.jsonl", *many(lambda n, text: {own: f"q{n}", "text": text}))
    write_lines(tmp_path / "beir" / "qrels.jsonl",
                *many(lambda n, text: {query: f"q{n}", document: f"d{n}", grade: 1}))
    assert count_rows(draft("reranker", tmp_path / "beir" / name)) == 40


def test_a_corpus_without_judgements_says_so(tmp_path: Path) -> None:
    file = write_lines(tmp_path / "corpus.jsonl", {"id": "d", "text": "t"})
    with pytest.raises(InputError, match=r"no file queries\.jsonl beside the others; it must be JSONL; there are"):
        draft("reranker", file)


def make_database(path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    with closing(sqlite3.connect(path)) as database:
        database.execute("create table city (name text, population int)")
        database.execute("insert into city values ('Bonn', 330000)")
        database.commit()


@pytest.mark.parametrize("place", ["shop.sqlite", "databases/shop.sqlite"])
@pytest.mark.parametrize("names", [("question", "sql", "db"), ("question", "query", "db_id")])
def test_sql_questions_are_read_with_the_database_beside_them(
    tmp_path: Path, place: str, names: tuple[str, str, str]
) -> None:
    make_database(tmp_path / place)
    sql = "SELECT name FROM city LIMIT "
    records = many(lambda n, text: dict(zip(names, (text, f"{sql}{n + 1}", "shop"), strict=True)))
    made = draft("sql-generator", write_lines(tmp_path / "q.jsonl", *records))
    assert made.sources[0].kind == "sql-pairs" and count_rows(made) == 40


def test_a_database_alone_is_asked_by_the_grammar(tmp_path: Path) -> None:
    make_database(tmp_path / "shop.db")
    assert draft("sql-generator", tmp_path / "shop.db").sources[0].kind == "sql-grammar"


def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ints.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match=r"no source of the task 'sql-generator' reads this; sql-grammar reads"):
        draft("sql-generator", tmp_path / "ints.csv")
    file = write_lines(tmp_path / "q.jsonl", {"question": "q", "sql": "SELECT 1"})
    with pytest.raises(InputError, match=r"questions with SQL \(q.jsonl\), and no database beside them; put a .sqlite"):
        draft("sql-generator", file)


@pytest.mark.parametrize(("task", "record", "said"), [
    ("classifier", {"a": 1, "b": 2.5}, "no field of d.jsonl holds text; there are a, b"),
    ("brand-voice", {"question": "q", "answer": "a"}, "no field of d.jsonl looks like neutral; there are question"),
])
def test_a_file_without_a_field_for_a_column_is_refused(tmp_path: Path, task: str, record: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        draft(task, write_lines(tmp_path / "d.jsonl", *[record] * 9))


def test_a_field_can_be_named_for_a_column(tmp_path: Path) -> None:
    records = many(lambda n, text: {"one": text, "two": f"other {n}", "kind": "ab"[n % 2]})
    file = write_lines(tmp_path / "d.jsonl", *records)
    assert draft("classifier", file, text="two").sources[0].to_block()["map"] == {"text": "two", "label": "kind"}
    with pytest.raises(InputError, match=r"--map text=tow: no such field; there are one, two, kind; did you"):
        draft("classifier", file, text="tow")


def test_a_split_with_an_unknown_value_is_said(tmp_path: Path) -> None:
    parts = ["train", "train", "eval"]
    file = write_lines(tmp_path / "d.jsonl",
                       *many(lambda n, text: {"text": text, "label": "ab"[n % 2], "split": parts[n % 3]}))
    assert draft("classifier", file).sources[0].to_block()["split"] == ""
    assert "# split: split # not used, so that its rows are mixed: its value 'eval' is unknown; known: dev, test," in (
        tmp_path / "drafted.yaml").read_text()


def test_labels_in_lists_make_a_task_of_several_labels_and_nulls_are_skipped(tmp_path: Path) -> None:
    lists = write_lines(tmp_path / "l.jsonl", *many(lambda n, text: {"text": text, "label": [WORDS[n % 5], "all"]}))
    assert draft("classifier", lists).task.output_type != "labels"
    nulls = many(lambda n, text: {"text": text, "label": "ab"[n % 2] if n % 4 else None})
    made = draft("classifier", write_lines(tmp_path / "n.jsonl", *nulls))
    assert made.spec.data.on_error == "skip"


def test_a_sheet_of_excel_is_drafted_with_its_encoding(tmp_path: Path) -> None:
    rows = "".join(f"my {WORDS[n % 5]} at the café {n};{'ab'[n % 2]}\r\n" for n in range(40))
    (tmp_path / "d.csv").write_bytes(f"sep=;\r\ntext;label\r\n{rows}".encode("cp1252"))
    made = draft("classifier", tmp_path / "d.csv")
    assert made.sources[0].to_block()["encoding"] == "cp1252" and count_rows(made) == 40
    source = yaml.safe_load((tmp_path / "drafted.yaml").read_text())["data"]["sources"][0]
    assert source["columns"] == ["text", "label"]
