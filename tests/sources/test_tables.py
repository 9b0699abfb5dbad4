"""Sources of tables: CSV, Parquet, SQLite, datasets. What comes out, and the one line about what is wrong."""

import math
import sqlite3
from contextlib import closing
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import ValidationError
from source_parts import ODD, read

from factory.text.delimited import sniff_delimiter
from factory_sources.dataset import Dataset
from factory_sources.delimited import Csv
from factory_sources.parquet import Parquet
from factory_sources.sqlite import Sqlite


def table(folder: Path, content: str | bytes, name: str = "rows.csv", **fields: object) -> Csv:
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return Csv(**{"file": Path(name), "columns": ["text"], **fields})


def test_a_csv_keeps_odd_text_and_says_each_record_s_first_line(tmp_path: Path) -> None:
    odd = ODD.replace("“", '""')
    content = f'\ufefftext,label,part\r\n"{odd}",a,train\r\n\r\n"two\r\nlines",b,dev\r\nlast,,test'
    made = table(tmp_path, content, columns=["text"], map={"y": "label"}, split="part", licence="CC0-1.0")
    first, second, third = read(made, tmp_path)
    assert made.output_columns == ("y", "text") and first.columns == {"text": ODD.replace("“", '"'), "y": "a"}
    assert (second["text"], second.split, second.provenance.line, second.id) == ("two\r\nlines", "dev", 4, "rows#4")
    assert (third.provenance.line, third["y"], third.provenance.licence) == (6, "", "CC0-1.0")


@pytest.mark.parametrize(("name", "content", "fields"), [
    ("a.csv", "text;n\none, two;3\nx;4", {}), ("a.csv", "n|text\n3|one, two", {}),
    ("a.tsv", "text\tn\none, two\t3", {}),
    ("a.txt", "text^n\none, two^3", {"delimiter": "^"}), ("a.csv", '"one, two",3', {"header": ["text", "n"]}),
    ("a.csv", "text;n\none, two;é".encode("cp1252"), {"encoding": "cp1252"}),
])
def test_the_delimiter_is_found_or_given(tmp_path: Path, name: str, content: str, fields: dict) -> None:
    assert read(table(tmp_path, content, name, **fields), tmp_path)[0]["text"] == "one, two"


def test_a_text_alone_has_commas_for_a_delimiter() -> None:
    assert (
        sniff_delimiter("text\na;b\nc"), sniff_delimiter(""), sniff_delimiter("a;b,c;d\n1;2;3\n")
    ) == (",", ",", ";")


@pytest.mark.parametrize(("content", "said"), [
    ("body,label\na,b", "rows.csv: text: no such column; the table has body, label"),
    ("text,label\na,b\nc\n", "rows.csv:3: 1 cells for 2 columns; quote cells that contain the delimiter"),
    (b"text,label\n\na,b\nc\xff,d\n", "rows.csv:4: not UTF-8: invalid start byte at byte 1 of the line; set "
     "`encoding` to that of the file, such as cp1252 (Excel on Windows)"),
    ('text,label\na,b\n"c,d\ne,f\n', "rows.csv:3: not CSV: unexpected end of data; check the quotes of this record"),
    ('text,label\n"c"x,d\n', "rows.csv:2: not CSV: ',' expected after '\"'; check the quotes of this record"),
    ("text,text\na,b", "rows.csv:1: duplicate column 'text'; rename one"),
    ("", "rows.csv:1: no column names; add a header line, or set `header: [text, …]`"),
])
def test_a_wrong_csv_is_named_by_line(tmp_path: Path, content: str | bytes, said: str) -> None:
    with pytest.raises(ValueError) as caught:
        read(table(tmp_path, content), tmp_path)
    assert str(caught.value) == said


@pytest.mark.parametrize(
    ("encoding", "said"), [("utf-16", "cannot be read line by line"), ("ut-8", "unknown encoding")]
)
def test_an_encoding_that_can_not_be_is_refused(tmp_path: Path, encoding: str, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        table(tmp_path, "", encoding=encoding)


def parquet(path: Path, **columns: list) -> None:
    from pyarrow import Table
    from pyarrow import parquet as files

    files.write_table(Table.from_pydict(columns), path)


def test_parquet_shards_are_read_by_name_with_times_as_text(tmp_path: Path) -> None:
    (tmp_path / "shards").mkdir()
    parquet(tmp_path / "shards" / "b.parquet", text=["late"], day=[date(2024, 2, 29)], tags=[["x"]])
    parquet(tmp_path / "shards" / "a.parquet", text=[ODD, "two"], day=[date(2024, 1, 1)] * 2, tags=[["x", "y"], []])
    first, second, third = read(Parquet(file=Path("shards"), columns=["text", "day", "tags"]), tmp_path)
    assert first.columns == {"text": ODD, "day": "2024-01-01", "tags": ["x", "y"]}
    assert (second.provenance.source, second.provenance.line, second.id) == ("shards/a.parquet", 2, "a#2")
    assert (third["day"], third.id) == ("2024-02-29", "b#1")


@pytest.mark.parametrize(("columns", "said"), [
    ({"body": ["a"]}, "x.parquet: text: no such column; the table has body"),
    ({"text": ["a", None]}, "x.parquet:2: text: is null; set a value, or remove the record"),
    ({"text": [1.5, math.nan]}, "x.parquet:2: text: nan is not valid JSON; use a finite number, or remove the record"),
    ({"text": [Decimal("1.5")]}, "x.parquet:1: text: Decimal values are not supported; store text or a number"),
])
def test_a_wrong_parquet_is_named_by_row(tmp_path: Path, columns: dict, said: str) -> None:
    parquet(tmp_path / "x.parquet", **columns)
    with pytest.raises(ValueError) as caught:
        read(Parquet(file=Path("x.parquet"), columns=["text"]), tmp_path)
    assert str(caught.value) == said


def test_what_is_no_parquet_and_a_folder_without_any_are_named(tmp_path: Path) -> None:
    (tmp_path / "x.parquet").write_bytes(b"text,label\n")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"^x.parquet: not Parquet: it looks like CSV or TSV; use `kind: csv`$"):
        read(Parquet(file=Path("x.parquet"), columns=["text"]), tmp_path)
    with pytest.raises(ValueError, match=r"^empty: no .parquet files in this folder$"):
        read(Parquet(file=Path("empty"), columns=["text"]), tmp_path)


def sqlite(folder: Path, **fields: str) -> Sqlite:
    with closing(sqlite3.connect(folder / "x.db")) as database, database:
        database.execute("CREATE TABLE IF NOT EXISTS said (text TEXT, n INTEGER)")
        database.executemany("INSERT INTO said VALUES (?, ?)", [(ODD, 1), ("two", 2), (b"\xff".decode("latin-1"), 3)])
    return Sqlite(file=Path("x.db"), columns=["text"], **fields)


def test_a_table_or_a_query_gives_rows(tmp_path: Path) -> None:
    assert [row["text"] for row in read(sqlite(tmp_path, table="said"), tmp_path)] == [ODD, "two", "ÿ"]
    query = "WITH late AS (SELECT upper(text) AS text FROM said WHERE n > 1) SELECT * FROM late ORDER BY 1"
    first, *_ = read(Sqlite(file=Path("x.db"), columns=["text"], query=query), tmp_path)
    assert (first["text"], first.id, first.provenance.source, first.provenance.line) == ("TWO", "x#1", "x.db", 1)


@pytest.mark.parametrize(("fields", "said"), [
    ({"query": "DELETE FROM said"}, "x.db: query: only SELECT is allowed; this statement writes, or reaches"),
    ({"query": "WITH a AS (SELECT 1) INSERT INTO said SELECT 'a', 1"}, "x.db: query: only SELECT is allowed"),
    ({"query": "ATTACH 'y.db' AS y"}, "x.db: query: only SELECT is allowed"),
    ({"query": "SELECT text FROM said; DROP TABLE said"}, "x.db: query: You can only execute one statement at a time"),
    ({"query": "SELECT text FROM said ORDER BY random()"}, "x.db: query: the function random is not allowed"),
    ({"query": "SELECT txt FROM said"}, "x.db: query: no such column: txt"),
    ({"table": "says"}, "x.db: says: no such table; the database has said"),
    ({"query": "SELECT n FROM said"}, "x.db: query: text: no such column; the table has n"),
    ({"query": "SELECT CAST(x'ff' AS TEXT) AS text"}, "x.db:1: text: is not UTF-8; re-encode it"),
])
def test_a_query_that_does_more_than_read_is_refused(tmp_path: Path, fields: dict, said: str) -> None:
    source = sqlite(tmp_path, **fields)
    before = (tmp_path / "x.db").read_bytes()
    with pytest.raises(ValueError) as caught:
        read(source, tmp_path)
    assert str(caught.value).startswith(said)
    assert (tmp_path / "x.db").read_bytes() == before and not (tmp_path / "y.db").exists()


def test_a_file_that_is_no_database_or_lags_behind_is_named(tmp_path: Path) -> None:
    source = sqlite(tmp_path, table="said")
    (tmp_path / "x.db-wal").write_bytes(b"late")
    with pytest.raises(ValueError, match=r"^x.db: x.db-wal has unmerged changes"):
        read(source, tmp_path)
    (tmp_path / "x.db-wal").unlink()
    (tmp_path / "x.db").write_text("text,label\n" * 100)
    with pytest.raises(ValueError, match=r"^x.db: not a SQLite database: it looks like CSV or TSV; use `kind: csv`$"):
        read(source, tmp_path)
    with pytest.raises(ValidationError, match="give either `table` or `query`"):
        Sqlite(file=Path("x.db"), columns=["text"], table="said", query="SELECT 1")


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    import datasets

    features = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["no", "yes"])})
    parts = {
        name: datasets.Dataset.from_dict({"text": texts, "label": [1, 0][: len(texts)]}, features=features)
        for name, texts in {"train": [ODD, "two"], "test": ["three"]}.items()
    }
    datasets.DatasetDict(parts).save_to_disk(tmp_path / "saved")
    parts["test"].save_to_disk(tmp_path / "alone")
    return tmp_path


def test_a_saved_dataset_gives_rows_with_the_names_of_labels(saved: Path) -> None:
    first, second = read(Dataset(folder=Path("saved"), columns=["text", "label"]), saved)
    assert first.columns == {"text": ODD, "label": "yes"} and second["label"] == "no"
    assert (second.id, second.provenance.source, second.provenance.line) == ("saved#2", "saved", 2)
    (third,) = read(Dataset(folder=Path("saved"), dataset_split="test", columns=["text"]), saved)
    assert third["text"] == "three"
    assert len(read(Dataset(folder=Path("alone"), columns=["label"]), saved)) == 1


def test_what_a_dataset_has_not_is_named(saved: Path) -> None:
    (saved / "bare").mkdir()
    for fields, said in (
        ({"folder": "saved", "dataset_split": "dev", "columns": ["text"]}, "saved: dev: no such split; the dataset "
        "has train, test"),
        ({"folder": "saved", "columns": ["body"]}, "saved: body: no such column; the table has text, label"),
        ({"folder": "bare", "columns": ["text"]}, "bare: "),
    ):
        with pytest.raises(ValueError) as caught:
            read(Dataset(**fields), saved)
        assert str(caught.value).startswith(said)


def test_a_dataset_of_the_hub_needs_a_revision_and_names_its_hosts() -> None:
    with pytest.raises(ValidationError, match="owner/name needs a `revision`"):
        Dataset(name="owner/name", columns=["text"])
    with pytest.raises(ValidationError, match="give either `name`, a dataset on the hub, or `folder`"):
        Dataset(columns=["text"])
    with pytest.raises(ValidationError, match="should match pattern"):
        Dataset(name="owner/name", revision="main", columns=["text"])
    assert Dataset(name="owner/name", revision="0" * 40, columns=["text"]).list_hosts()
    assert Dataset(folder=Path("x"), columns=["text"]).list_hosts() == ()


def test_a_cell_may_hold_a_list(tmp_path: Path) -> None:
    made = table(tmp_path, 'text,tags\na,x; y;\nb,\nc,"z;é"\n', map={"label": "tags"}, lists={"tags": ";"})
    assert [row["label"] for row in read(made, tmp_path)] == [["x", "y"], [], ["z", "é"]]
    assert "lists" not in table(tmp_path, "text\na\n").compute_identity(tmp_path)["fields"]
    with pytest.raises(ValueError, match=r"rows\.csv: tag: no such column; the table has text, tags"):
        read(table(tmp_path, "text,tags\na,x\n", lists={"tag": ";"}), tmp_path)
    with pytest.raises(ValidationError, match="tags: the separator is empty"):
        table(tmp_path, "text,tags\na,x\n", lists={"tags": ""})
