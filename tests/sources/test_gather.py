"""Gathering from several sources: wrong records counted, weights, samples, and files that are never held whole."""

import os
import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest
from places import SUPPORT
from source_parts import ODD, gathered, lines

from factory.errors import InputError
from factory.registry.registry import load_installed_registry
from factory.stages.gather import compute_mixture_counts

WRONG = ['{"text": "a"}', '{"text": ', '{"body": "b"}', '{"text": null}', {"text": ODD}]


def many(folder: Path, name: str, count: int, **fields: object) -> dict:
    return {**lines(folder / f"{name}.jsonl", *({"text": f"{name} {n}"} for n in range(count))), **fields}


def test_wrong_records_are_counted_and_the_first_ones_kept(tmp_path: Path) -> None:
    block = lines(tmp_path / "rows.jsonl", *WRONG)
    rows, facts, voice = gathered(tmp_path, block, on_error="skip")
    assert [(row.provenance.line, row["text"]) for row in rows] == [(1, "a"), (5, ODD)]
    assert facts["sources"][0]["skipped"]["rows"] == 3 and facts["rows"] == 2
    assert facts["sources"][0]["skipped"]["first"][1] == "rows.jsonl:3: text: no such field; the record has body"
    assert voice.notes[0].startswith("source 'jsonl': 3 invalid records skipped, the first: rows.jsonl:2: not JSON: ")
    _, facts, _ = gathered(tmp_path, {**block, "limit": 1}, on_error="skip")
    assert facts["sources"][0]["skipped"]["rows"] == 3


def test_a_wrong_record_stops_the_build_where_nothing_else_is_said(tmp_path: Path) -> None:
    block = lines(tmp_path / "rows.jsonl", *WRONG)
    with pytest.raises(InputError, match=r"^source 'jsonl': rows.jsonl:2: not JSON: Expecting value at column 9$"):
        gathered(tmp_path, block)
    problem = r"^source 'jsonl' has no rows; 4 invalid records skipped, the first: rows.jsonl:1"
    with pytest.raises(InputError, match=problem):
        gathered(tmp_path, lines(tmp_path / "rows.jsonl", *[{"body": 1}] * 4), on_error="skip")


def test_every_source_of_records_skips(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.txt").write_bytes(b"\xff")
    (tmp_path / "docs" / "b.md").write_text("sound")
    (tmp_path / "x.csv").write_bytes(b"text,n\na\n\xff,2\nb,3\n\"c\"d,4\ne,5\n")
    lines(tmp_path / "chats.jsonl", {"messages": []}, {"messages": [{"role": "user", "content": "a"},
                                                                     {"role": "assistant", "content": "b"}]})
    blocks = [{"kind": "documents", "folder": "docs"}, {"kind": "csv", "file": "x.csv", "columns": ["text"]},
              {"kind": "chat-log", "file": "chats.jsonl"}]
    rows, facts, _ = gathered(tmp_path, *blocks, on_error="skip")
    assert [source["skipped"]["rows"] for source in facts["sources"]] == [1, 3, 1]
    assert [row.columns.get("text") for row in rows] == ["sound", "b", "e", None]


def test_a_retrieval_collection_skips_too(tmp_path: Path) -> None:
    lines(tmp_path / "corpus.jsonl", {"id": "d", "text": "a"}, {"id": "e"})
    lines(tmp_path / "queries.jsonl", {"id": "q", "text": "a"}, {"id": [], "text": "b"})
    lines(tmp_path / "qrels.jsonl", {"query_id": "q", "doc_id": "d"}, {"query_id": "q", "doc_id": "d"}, "{")
    block = {"kind": "retrieval", **{name: f"{name}.jsonl" for name in ("corpus", "queries", "qrels")}}
    rows, facts, _ = gathered(tmp_path, block, on_error="skip")
    assert facts["sources"][0]["skipped"]["rows"] == 4 and facts["sources"][0]["tables"] == {"documents": 1}
    assert [row["relevant"] for row in rows] == [{"d": 1}]


def test_weights_are_the_largest_mixture_that_runs_out_of_nothing(tmp_path: Path) -> None:
    blocks = [many(tmp_path, "a", 300, weight=3), many(tmp_path, "b", 80, weight=1), many(tmp_path, "c", 7)]
    rows, facts, voice = gathered(tmp_path, *blocks)
    assert Counter(row["text"][0] for row in rows) == {"a": 240, "b": 80, "c": 7}
    assert [(source["rows"], source.get("given")) for source in facts["sources"]] == [(240, 300), (80, None), (7, None)]
    assert voice.notes == ["source 'jsonl': 240 of 300 rows sampled, according to its weight"]
    assert [row.provenance.line for row in rows[:240]] == sorted(row.provenance.line for row in rows[:240])
    assert rows == gathered(tmp_path, *blocks)[0] != gathered(tmp_path, *blocks, seed=8)[0]


def test_weights_draw_from_rows_that_may_be_trained_on(tmp_path: Path) -> None:
    blocks = []
    for name, count in (("a", 40), ("b", 8)):
        records = [{"text": f"{name} {n}", "part": ("train", "train", "test", "dev")[n % 4]} for n in range(count)]
        blocks.append({**lines(tmp_path / f"{name}.jsonl", *records), "split": "part", "weight": 1})
    rows, facts, voice = gathered(tmp_path, *blocks)
    assert Counter((row["text"][0], row.split) for row in rows) == {
        ("a", "train"): 4, ("a", "test"): 10, ("a", "dev"): 10, ("b", "train"): 4, ("b", "test"): 2, ("b", "dev"): 2,
    }
    assert [(source["rows"], source.get("given")) for source in facts["sources"]] == [(24, 40), (8, None)]
    assert voice.notes == [
        "source 'jsonl': 4 of 20 rows sampled, according to its weight; its 20 test and validation rows stay"
    ]


def test_a_mixture_is_in_proportion() -> None:
    assert compute_mixture_counts([(1, 10), (1, 20)]) == [10, 10]
    assert compute_mixture_counts([(0.7, 700), (0.2, 300), (0.1, 1000), (0, 5)]) == [700, 200, 100, 5]
    assert compute_mixture_counts([(1 / 3, 10), (2 / 3, 7)]) == [4, 7]


@pytest.mark.parametrize(("blocks", "said"), [
    ([("a", 5, 1), ("b", 1000, 0.0001)], "source 'jsonl': its weight is too small to use any of its rows; raise it"),
    ([("a", 5, -1)], "greater than or equal to 0"),
])
def test_a_weight_that_means_nothing_is_refused(tmp_path: Path, blocks: list, said: str) -> None:
    with pytest.raises(Exception, match=said):
        gathered(tmp_path, *(many(tmp_path, name, count, weight=weight) for name, count, weight in blocks))


def test_a_weight_of_a_source_that_fills_a_table_alone_is_refused(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.txt").write_text("text")
    table = {"kind": "documents", "folder": "docs", "table": "documents", "weight": 1}
    with pytest.raises(InputError, match=r"^source 'documents' has a weight but no rows; remove the weight$"):
        gathered(tmp_path, many(tmp_path, "a", 3), table)


def test_the_hash_seed_plays_no_part(tmp_path: Path) -> None:
    blocks = [many(tmp_path, "a", 60, limit=40, weight=1), many(tmp_path, "b", 60, limit=20, weight=1)]
    code = "from pathlib import Path\nfrom source_parts import gathered\n"
    code += f"gathered(Path({str(tmp_path)!r}), *{blocks!r})"

    def drawn(seed: str) -> bytes:
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        subprocess.run([sys.executable, "-c", code], env=environment, check=True, cwd=SUPPORT)
        return (tmp_path / "out" / "rows.jsonl").read_bytes()

    one, other = drawn("1"), drawn("2")
    assert one == other and one.count(b"\n") == 40


def test_an_id_of_two_sources_is_refused_with_both_places(tmp_path: Path) -> None:
    block = many(tmp_path, "a", 3)
    with pytest.raises(InputError, match=r"^a.jsonl:1: duplicate id 'a#1', first used at a.jsonl:1; give every row"):
        gathered(tmp_path, block, block)


def test_licences_of_all_sources_are_carried(tmp_path: Path) -> None:
    _, facts, _ = gathered(tmp_path, many(tmp_path, "a", 2, licence="MIT"), many(tmp_path, "b", 2))
    assert [source["licences"] for source in facts["sources"]] == [["MIT"], []]
    assert "skipped" not in facts["sources"][0] and "given" not in facts["sources"][0]


def test_a_weight_that_is_not_said_leaves_a_key_as_it_was(tmp_path: Path) -> None:
    block = many(tmp_path, "a", 2)
    bare, weighed = (
        load_installed_registry().make_plugin("source", {**block, **more}).compute_identity(tmp_path)
        for more in ({}, {"weight": 2})
    )
    assert set(bare["fields"]) == {"file", "columns", "map", "id", "group", "split", "limit", "licence"}
    assert weighed["fields"]["weight"] == 2


def test_every_source_says_what_it_gives_and_describes_its_fields() -> None:
    for kind in load_installed_registry().list_classes("source"):
        described = {name: field.description for name, field in kind.model_fields.items()}
        assert all(described.values()), (kind.kind, described)
        assert hasattr(kind, "output_columns") and kind.__doc__, kind.kind


def test_sources_of_specialists_skip_too(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "shop.sqlite")) as database, database:
        database.execute("CREATE TABLE item (name TEXT)")
        database.execute("INSERT INTO item VALUES ('lamp')")
    pair = {"question": "Which items?", "sql": "SELECT name FROM item"}
    lines(tmp_path / "pairs.jsonl", pair, {"question": "?"}, "[")
    turn = {"question": "Who?", "rewrite": "Who?", "answer": "Ann."}
    lines(tmp_path / "talks.jsonl", {"id": "t", "topic": "x", "turns": [turn, turn]}, {"id": "u"})
    blocks = [{"kind": "sql-pairs", "file": "pairs.jsonl", "databases": "shop.sqlite"},
              {"kind": "conversations", "file": "talks.jsonl"}]
    _, facts, _ = gathered(tmp_path, *blocks, on_error="skip")
    assert [(source["rows"], source["skipped"]["rows"]) for source in facts["sources"]] == [(1, 2), (1, 1)]


def test_ids_of_files_with_one_name_come_from_their_paths(tmp_path: Path) -> None:
    for folder in ("en", "fr"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "d.jsonl").write_text('{"text": "a", "key": "d#9"}\n{"text": "b", "key": "k"}\n')
    en, fr = ({"kind": "jsonl", "file": f"{folder}/d.jsonl", "columns": ["text"]} for folder in ("en", "fr"))
    rows, _, _ = gathered(tmp_path, en, fr)
    assert [row.id for row in rows] == ["d#1", "d#2", "fr/d#1", "fr/d#2"]
