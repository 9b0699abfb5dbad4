"""Files of another format, another encoding or another layout than the source reads: said in one line with a remedy."""

import gzip
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from source_parts import read

from factory.errors import InputError
from factory_sources.chat_log import ChatLog
from factory_sources.delimited import Csv
from factory_sources.jsonl import Jsonl
from factory_sources.parquet import Parquet
from factory_sources.retrieval_dataset import Retrieval
from factory_sources.sqlite import Sqlite

LINES = b'{"text": "a", "label": "x"}\n{"text": "b", "label": "y"}\n'
TABLE = b"text,label\na,x\nb,y\n"
SOURCES: dict[str, Callable[[Path], Any]] = {
    "jsonl": lambda file: Jsonl(file=file, columns=["text"]),
    "csv": lambda file: Csv(file=file, columns=["text"]),
    "parquet": lambda file: Parquet(file=file, columns=["text"]),
    "sqlite": lambda file: Sqlite(file=file, columns=["text"], table="t"),
    "chat-log": lambda file: ChatLog(file=file),
}


def complaint(folder: Path, kind: str, content: bytes) -> str:
    (folder / "d.x").write_bytes(content)
    with pytest.raises((InputError, ValueError)) as caught:
        read(SOURCES[kind](Path("d.x")), folder)
    return str(caught.value)


def database(folder: Path) -> bytes:
    with closing(sqlite3.connect(folder / "made.db")) as made:
        made.execute("create table t (text)")
        made.commit()
    return (folder / "made.db").read_bytes()


@pytest.mark.parametrize("kind", ["jsonl", "csv", "chat-log"])
@pytest.mark.parametrize(("content", "said"), [
    (gzip.compress(LINES, mtime=0), "compressed with gzip; unpack it and name the unpacked file"),
    (b"PK\x03\x04....", "a zip archive or an Excel workbook; unpack it, or save the sheet as CSV"),
    (b"PAR1....", "Parquet; use `kind: parquet`"), (TABLE.decode().encode("utf-16"), "UTF-16; save it as UTF-8"),
    (TABLE.decode().encode("utf-16-le"), "UTF-16, or no text at all; save it as UTF-8"),
])
def test_a_binary_file_is_named_for_what_it_is(tmp_path: Path, kind: str, content: bytes, said: str) -> None:
    assert complaint(tmp_path, kind, content).endswith(f"; this file is {said}")


def test_a_database_is_named_for_what_it_is(tmp_path: Path) -> None:
    said = complaint(tmp_path, "jsonl", database(tmp_path))
    assert said.endswith("this file is a SQLite database; use `kind: sqlite`")


@pytest.mark.parametrize("kind", ["parquet", "sqlite"])
@pytest.mark.parametrize(("content", "said"), [
    (LINES, "it looks like JSONL; use `kind: jsonl`"), (TABLE, "it looks like CSV or TSV; use `kind: csv`"),
    (b'[\n {"text": "a"}\n]', "it looks like JSON; convert it to one object per line and use `kind: jsonl`"),
    (gzip.compress(LINES, mtime=0), "it is compressed with gzip; unpack it and name the unpacked file"),
])
def test_a_text_given_as_a_table_or_database_is_named(tmp_path: Path, kind: str, content: bytes, said: str) -> None:
    assert complaint(tmp_path, kind, content).endswith(f": {said}")


@pytest.mark.parametrize(("content", "said"), [
    (b'[\n {"text": "a"},\n {"text": "b"}\n]\n', "d.x:1: a JSON array where one object per line is wanted (JSONL)"),
    (b'[{"text": "a"}, {"text": "b"}]\n', "d.x:1: a JSON array where one object per line is wanted (JSONL)"),
    (b'{\n "text": "a"\n}\n', "d.x:1: a JSON object of several lines where each is wanted on one line"),
    (LINES.replace(b"\n", b"\r"), "d.x:1: lines end in a carriage return alone (old Mac); save the file"),
    (TABLE, "d.x:1: this looks like CSV or TSV; use `kind: csv`"),
    ('{"text": "é"}'.encode("cp1252"), "d.x:1: not UTF-8: "),
    (LINES + b"[1, 2]\n", "d.x:3: expected a JSON object {…}, got list"),
])
def test_another_layout_than_jsonl_is_named(tmp_path: Path, content: bytes, said: str) -> None:
    assert complaint(tmp_path, "jsonl", content).startswith(said)


@pytest.mark.parametrize(("content", "said"), [
    (TABLE.replace(b"\n", b"\r"), "d.x:1: a line ends in a carriage return alone (old Mac); save the file with line"),
    ("text,label\ncafé,x\n".encode("cp1252"), "; set `encoding` to that of the file, such as cp1252 (Excel on"),
    (b"Text,label\na,x\n", "d.x: text: no such column; the table has Text, label; did you mean 'Text'?"),
])
def test_a_csv_s_complaint_has_a_remedy(tmp_path: Path, content: bytes, said: str) -> None:
    assert said in complaint(tmp_path, "csv", content)


@pytest.mark.parametrize("first", [b"sep=;\r\n", b"\xef\xbb\xbfsep=;\n", b'"sep=;"\n'])
def test_excel_s_first_line_says_the_delimiter(tmp_path: Path, first: bytes) -> None:
    (tmp_path / "d.csv").write_bytes(first + b"text;label\na, b, c;x\n")
    (row,) = read(Csv(file=Path("d.csv"), columns=["text", "label"]), tmp_path)
    assert (row["text"], row["label"], row.id, row.provenance.line) == ("a, b, c", "x", "d#3", 3)


@pytest.mark.parametrize("field", ["id", "group"])
def test_a_float_for_an_id_has_a_remedy(tmp_path: Path, field: str) -> None:
    (tmp_path / "d.jsonl").write_text('{"text": "a", "key": 1.0}\n')
    with pytest.raises(ValueError, match=r"d.jsonl:1: key: expected text or a whole number, got 1.0 \(a float\); make"):
        read(Jsonl(file=Path("d.jsonl"), columns=["text"], **{field: "key"}), tmp_path)


def test_a_float_for_a_document_s_id_has_the_same_remedy(tmp_path: Path) -> None:
    for name in ("corpus", "queries", "qrels"):
        (tmp_path / f"{name}.jsonl").write_text(json.dumps({"id": 1.0, "text": "a", "query_id": "1", "doc_id": "1"}))
    source = Retrieval(**{name: Path(f"{name}.jsonl") for name in ("corpus", "queries", "qrels")})
    with pytest.raises(ValueError, match=r"corpus.jsonl:1: id: expected text or a whole number, got 1.0 \(a float\)"):
        read(source, tmp_path)


@pytest.mark.parametrize(("record", "said"), [
    ({"messages": [{"role": "User", "content": "a"}]}, "role 'User' is none of system, "),
    ({"messages": [{"role": "User", "content": "a"}]}, "; did you mean 'user'?"),
    ({"messages": [{"role": "human", "content": "a"}]}, "; did you mean 'user'?"),
    ({"messages": [{"from": "human", "value": "a"}]}, "turn 1: no role; the turn has from, value; set role to one of"),
    ({"messages": ["hello"]}, "turn 1: expected {role, content}, got str"),
    ({"conversations": []}, "d.x:1: messages: no such field; the record has conversations"),
])
def test_a_turn_of_another_form_is_named(tmp_path: Path, record: dict, said: str) -> None:
    assert said in complaint(tmp_path, "chat-log", json.dumps(record).encode())
