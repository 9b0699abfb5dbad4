"""Files that unpack to gigabytes, never end, or lead elsewhere: one line that names them, in little time and memory."""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path

import pytest
from source_parts import read
from tiny_parts import Voice
from toy_project import resolved

from factory.api import Job
from factory.errors import InputError, SpecError
from factory.models import model_folder
from factory_sources import html_markup, sqlite
from factory_sources.document_blocks import parse_html_blocks, parse_markdown_blocks, read_html_title
from factory_sources.documents import Documents
from factory_sources.parquet import Parquet
from factory_sources.sqlite import Sqlite
from factory_sql import database
from factory_sql.databases_table import locate_database

ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n"


@pytest.mark.parametrize("text", [
    "<!--" * 50_000, "<a " * 50_000, "<a b='" * 50_000 + ">", "<![CDATA[" * 20_000, "</" * 50_000, "<?" * 50_000,
    "<script>" + "</" * 50_000 + ">", "<title" * 50_000, "<" * 50_000, "<a " + "x " * 50_000 + ">", "&#" * 50_000,
], ids=lambda text: text[:12])
def test_odd_html_takes_time_in_proportion_to_its_length(text: str) -> None:
    start = time.process_time()
    list(parse_html_blocks(text))
    read_html_title(text)
    assert time.process_time() - start < 5, "some took minutes"


def test_simplified_html_has_the_same_text_lines_and_title() -> None:
    page = (
        "<html><head><title>x</title></head>\n<body class='a > b'>\n<h1>A &amp; B</h1>\n<!-- c\n -->\n<p\nid=1>3 < 4 "
        "<b>bold</b><br/>next<script>if (a<b) x='</p>'\n</script>end</p><p>last &lt;tag&gt;</p></body>"
    )
    found = [(block.line, block.text, block.level) for block in parse_html_blocks(page)]
    assert found == [(3, "A & B", 1), (7, "3 < 4 bold", 0), (7, "nextend", 0), (8, "last <tag>", 0)]
    assert read_html_title(page) == "x" and html_markup.simplify_markup("a < b <c") == "a &lt; b "


@pytest.mark.parametrize(("line", "heading"), [
    ("# a #", "a"), ("# a#", "a#"), ("##  b  ", "b"), ("# #", "#"), ("#", ""), ("#c", None), ("# d ##  ", "d"),
    ("# e # f", "e # f"), ("# " + " " * 60_000 + "g", "g"),
])
def test_headings_are_read_as_before_and_in_one_pass(line: str, heading: str | None) -> None:
    (block,) = parse_markdown_blocks(line)
    assert (block.text if block.level else None) == heading


def test_links_that_leave_a_folder_are_skipped_and_counted(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "secret.txt").write_text("the password is 1234")
    (tmp_path / "docs" / "a.txt").write_text("an ordinary text")
    (tmp_path / "docs" / "b.txt").symlink_to(tmp_path / "docs" / "a.txt")
    (tmp_path / "docs" / "c.txt").symlink_to(tmp_path / "secret.txt")
    (tmp_path / "docs" / "d.sqlite").symlink_to(tmp_path / "secret.txt")
    os.mkfifo(tmp_path / "docs" / "pipe.txt")
    voice = Voice()
    texts = [row["text"] for row in read(Documents(folder=Path("docs")), tmp_path, voice)]
    assert texts == ["an ordinary text"] * 2
    assert any("skipped 1 link to files outside of the folder" in note for note in voice.notes)
    with pytest.raises(ValueError, match=r"docs/d\.sqlite: a link to a file outside"):
        locate_database(tmp_path, Path("docs"), "d")


def test_pipes_and_devices_are_no_inputs(toy: Path) -> None:
    (toy / "rows.jsonl").unlink()
    os.mkfifo(toy / "rows.jsonl")
    with pytest.raises(SpecError, match="is a device, a pipe or a socket; name a regular file"):
        resolved(toy)
    (toy / "toy.yaml").write_text((toy / "toy.yaml").read_text().replace("rows.jsonl", "/dev/zero"))
    with pytest.raises(SpecError, match="is a device, a pipe or a socket"):
        resolved(toy)


def test_a_parquet_bomb_is_seen_or_takes_little_memory(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    big = pyarrow.table({"text": ["\0" * (100 << 20)]})
    parquet.write_table(big, tmp_path / "one.parquet", compression="zstd", use_dictionary=False)
    assert (tmp_path / "one.parquet").stat().st_size < 1 << 20
    with pytest.raises(ValueError, match=r"one\.parquet: text: unpacks to 100 MiB from"):
        read(Parquet(file=Path("one.parquet"), columns=["text"]), tmp_path)
    shared = pyarrow.DictionaryArray.from_arrays(pyarrow.array([0] * 1024), pyarrow.array(["\0" * (1 << 20)]))
    parquet.write_table(pyarrow.table({"text": shared}), tmp_path / "many.parquet", compression="zstd")
    del big
    rows = Parquet(file=Path("many.parquet"), columns=["text"]).iter_rows(Job(7, Voice(), tmp_path))
    for number, row in enumerate(rows):
        assert len(row["text"]) == 1 << 20 and pyarrow.total_allocated_bytes() < 300 << 20, "a gigabyte when unpacked"
        if number == 40:
            break


def test_a_view_that_never_ends_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with sqlite3.connect(tmp_path / "a.sqlite") as connection:
        connection.execute(f"CREATE VIEW silent AS SELECT i FROM ({ENDLESS}) WHERE i < 0")
        connection.execute(f"CREATE VIEW chatty AS {ENDLESS}")
    monkeypatch.setattr(sqlite, "MAX_SECONDS_TO_A_ROW", 0.3)
    monkeypatch.setattr(sqlite, "MAX_VIEW_ROWS", 500)
    with pytest.raises(ValueError, match=r"a\.sqlite: table: no row within 0\.3 seconds"):
        read(Sqlite(file=Path("a.sqlite"), table="silent", columns=["i"]), tmp_path)
    with pytest.raises(ValueError, match=r"a\.sqlite: more than 500 rows from a view or query"):
        read(Sqlite(file=Path("a.sqlite"), table="chatty", columns=["i"]), tmp_path)


@pytest.mark.parametrize(("script", "problem"), [
    ("CREATE TABLE t (a); INSERT INTO t VALUES (zeroblob(2000000000));", "holds a value of more than 16 MB"),
    (f"CREATE TABLE t (a); INSERT INTO t {ENDLESS};", "makes a database of more than"),
    (f"PRAGMA max_page_count = 4000000000; CREATE TABLE t (a); INSERT INTO t {ENDLESS};", "makes a database of more"),
    (f"SELECT count(*) FROM ({ENDLESS});", "was stopped after"),
    ("CREATE TABLE t (a); ;;; SELEC", "syntax error"),
])
def test_a_script_has_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, problem: str) -> None:
    monkeypatch.setattr(database, "MAX_SCRIPT_BYTES", 4 << 20)
    monkeypatch.setattr(database, "MAX_SCRIPT_SECONDS", 20.0 if "INSERT" in script else 0.3)
    (tmp_path / "bomb.sql").write_text(script)
    with pytest.raises(ValueError, match=problem) as refused:
        database.open_database(tmp_path / "bomb.sql")
    assert str(refused.value).startswith("bomb.sql: ") and "\n" not in str(refused.value)


def test_a_folder_that_is_no_model_is_refused_without_reading_all_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(30):
        (tmp_path / f"{number}.txt").touch()
    with pytest.raises(InputError, match=r"no config\.json, so it is not a model folder"):
        model_folder.list_model_files(tmp_path)
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_text("{}")
    assert len(model_folder.list_model_files(tmp_path)) == 32
    monkeypatch.setattr(model_folder, "MAX_FOLDER_ENTRIES", 20)
    with pytest.raises(InputError, match="more than 20 files, so it is not a folder of one model"):
        model_folder.list_model_files(tmp_path)
