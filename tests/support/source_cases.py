"""What each source of records is tried on where every kind is."""

import io
import json
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

from factory.testing import Case

RECORDS = [{"text": f"a text of number {n}", "label": "ab"[n % 2]} for n in range(12)]
COLUMNS = ["text", "label"]
TURNS = [{"role": "user", "content": "And in winter?"}, {"role": "assistant", "content": "At six."}]


def parquet() -> bytes:
    from pyarrow import Table
    from pyarrow import parquet as files

    content = io.BytesIO()
    files.write_table(Table.from_pylist(RECORDS), content)
    return content.getvalue()


def database() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        with closing(sqlite3.connect(f"{folder}/x.db")) as opened, opened:
            opened.execute("CREATE TABLE said (text TEXT, label TEXT)")
            opened.executemany("INSERT INTO said VALUES (:text, :label)", RECORDS)
        return Path(folder, "x.db").read_bytes()


def saved() -> dict[str, bytes]:
    """The files of a dataset that `save_to_disk` wrote."""
    import datasets

    with tempfile.TemporaryDirectory() as folder:
        datasets.Dataset.from_list(RECORDS).save_to_disk(folder)
        return {f"saved/{path.name}": path.read_bytes() for path in Path(folder).iterdir()}


def cases() -> dict[str, Case]:
    """Kind → its case."""
    table = "text,label\n" + "".join(f"{record['text']},{record['label']}\n" for record in RECORDS)
    chats = "".join(json.dumps({"messages": TURNS}) + "\n" for _ in range(6))
    return {
        "csv": Case(fields={"file": "x.csv", "columns": COLUMNS}, files={"x.csv": table}),
        "parquet": Case(fields={"file": "x.parquet", "columns": COLUMNS}, files={"x.parquet": parquet()}),
        "sqlite": Case(fields={"file": "x.db", "table": "said", "columns": COLUMNS}, files={"x.db": database()}),
        "dataset": Case(fields={"folder": "saved", "columns": COLUMNS}, files=saved()),
        "documents": Case(fields={"folder": "docs"}, files={"docs/a.md": "# A\n\ntext\n", "docs/b.txt": "one\n"}),
        "chat-log": Case(fields={"file": "chats.jsonl"}, files={"chats.jsonl": chats}),
        "package": Case(fields={
            "package": "scikit-learn", "file": "sklearn/datasets/data/iris.csv", "columns": ["setosa"],
        }),
    }
