"""A damaged or doubtful file of rows is named, with the line and what to do."""

import io
import json
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest
from tiny_parts import Voice

from factory.api import Job
from factory.data.rows import read_jsonl
from factory.errors import InputError


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('{"text": "a", "price": 1e999}', "the number 1e999 is too large"),
        ('{"text": "a", "price": -1e999}', "the number -1e999 is too large"),
        ('{"text": "a", "text": "b"}', "the key 'text' occurs twice in one object; keep one"),
        ('{"more": {"x": 1, "x": 1}}', "the key 'x' occurs twice in one object; keep one"),
        ('{"text": NaN}', "NaN is not valid JSON"),
    ],
)
def test_a_line_that_loses_a_value_is_refused(line: str, problem: str, tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text('{"text": "fine", "price": 1e300}\n' + line + "\n")
    with pytest.raises(InputError) as caught:
        list(read_jsonl(tmp_path / "rows.jsonl"))
    assert str(caught.value) == f"{tmp_path}/rows.jsonl:2: not JSON: {problem}"


def test_damage_anywhere_in_a_parquet_file_names_the_file(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    from factory_sources.parquet import Parquet

    table = pyarrow.table({"text": [f"text {number}" for number in range(3000)], "label": ["x"] * 3000})
    buffer = io.BytesIO()
    parquet.write_table(table, buffer, compression="snappy", data_page_size=4096)
    whole = buffer.getvalue()
    source = Parquet(file=Path("rows.parquet"), columns=["text", "label"])
    for at in range(4, len(whole), max(1, len(whole) // 60)):
        data = bytearray(whole)
        data[at : at + 4] = b"\xff\xff\xff\xff"
        (tmp_path / "rows.parquet").write_bytes(data)
        try:
            list(source.read_records(Job(7, Voice(), tmp_path)))
        except ValueError as error:
            assert str(error).startswith("rows.parquet: ") and "\n" not in str(error), error


@pytest.mark.parametrize(
    ("name", "content"),
    [("state.json", {"_data_files": []}), ("state.json", []), ("dataset_info.json", {"features": {"text": 7}})],
    ids=["no fields", "a list", "odd features"],
)
def test_a_saved_dataset_with_odd_facts_is_named(name: str, content: object, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    from factory_sources.dataset import Dataset

    datasets.Dataset.from_list([{"text": "a"}]).save_to_disk(tmp_path / "saved")
    (tmp_path / "saved" / name).write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"^saved: (?!saved)"):
        list(Dataset(folder=Path("saved"), columns=["text"]).read_records(Job(7, Voice(), tmp_path)))


def read_flipped(folder: Path, whole: bytes, at: int) -> str:
    from factory_sources.dataset import Dataset

    data = bytearray(whole)
    data[at // 8] ^= 1 << at % 8
    (folder / "saved" / "data-00000-of-00001.arrow").write_bytes(data)
    try:
        rows = list(Dataset(folder=Path("saved"), columns=["text"]).read_records(Job(7, Voice(), folder)))
    except ValueError as error:
        return str(error)
    return f"saved: {len(rows)} rows"


def test_a_flipped_bit_of_a_saved_dataset_ends_no_process(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    datasets.Dataset.from_list([{"text": f"text {n}"} for n in range(9)]).save_to_disk(tmp_path / "saved")
    whole = (tmp_path / "saved" / "data-00000-of-00001.arrow").read_bytes()
    # A process of its own: some of these flips ended it by a signal, and the pool would not come back.
    with ProcessPoolExecutor(1, multiprocessing.get_context("fork")) as pool:
        told = [pool.submit(read_flipped, tmp_path, whole, at).result() for at in range(0, 8 * len(whole), 37)]
    assert all(text.startswith("saved: ") for text in told)
    assert any("the data files are damaged" in text for text in told) and "saved: 9 rows" in told


def test_a_pipe_in_a_saved_dataset_keeps_nobody_waiting(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    from factory_sources.dataset import Dataset

    datasets.Dataset.from_list([{"text": "a"}]).save_to_disk(tmp_path / "saved")
    (tmp_path / "saved" / "data-00000-of-00001.arrow").unlink()
    os.mkfifo(tmp_path / "saved" / "data-00000-of-00001.arrow")
    with pytest.raises(ValueError, match=r"^saved: data-00000-of-00001\.arrow: not a regular file"):
        list(Dataset(folder=Path("saved"), columns=["text"]).read_records(Job(7, Voice(), tmp_path)))


def test_nesting_without_end_in_place_of_a_database_is_named(tmp_path: Path) -> None:
    from factory_sources.sqlite import Sqlite

    (tmp_path / "x.db").write_bytes(b"[" * 200_000)
    with pytest.raises(ValueError, match=r"^x\.db: not a SQLite database: it looks like JSON"):
        list(Sqlite(file=Path("x.db"), table="t", columns=["text"]).read_records(Job(7, Voice(), tmp_path)))
