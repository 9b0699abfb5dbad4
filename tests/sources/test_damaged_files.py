"""A damaged or doubtful file of rows is named, with the line and what to do."""

import io
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
