"""Files of rows: what is written is read back, and what is wrong is named by file and line."""

from pathlib import Path

import pytest

from factory.api import Provenance, Row
from factory.data.rows import LazyRows, open_rows, read_json, read_jsonl, read_rows, write_json, write_jsonl, write_rows
from factory.errors import InputError


def row(name: str, **columns: object) -> Row:
    return Row(name, columns, Provenance("s.jsonl", 3, parents=("p",)), "g", "test")


def test_rows_come_back_as_they_went(tmp_path: Path) -> None:
    rows = [row("a", text="Grüße", numbers=[1, 2.5]), row("b", text="")]
    assert write_rows(tmp_path / "deep" / "rows.jsonl", rows) == 2
    assert list(read_rows(tmp_path / "deep" / "rows.jsonl")) == rows


def test_equal_values_give_equal_bytes(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "one", [{"b": 1, "a": "é"}])
    write_jsonl(tmp_path / "two", [{"a": "é", "b": 1}])
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes() == '{"a":"é","b":1}\n'.encode()


def test_json_for_people_is_sorted_and_indented(tmp_path: Path) -> None:
    write_json(tmp_path / "x.json", {"b": [1], "a": 2})
    assert (tmp_path / "x.json").read_text() == '{\n "a": 2,\n "b": [\n  1\n ]\n}\n'
    assert read_json(tmp_path / "x.json") == {"a": 2, "b": [1]}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b'{"a": 1', ":2: not JSON: Expecting ',' delimiter at column 8"),
        (b'{"a": "\xff"}', ":2: not UTF-8: invalid start byte at byte 7 of the line"),
        (b"[1]", ":2: expected a JSON object {…}, got list"),
        (b'{"a": NaN}', ":2: not JSON: NaN is not valid JSON"),
        (b'{"a": "\\ud800"}', ":2: contains a lone surrogate, which is not valid text"),
        (b"[" * 100_000, ":2: not JSON: "),
    ],
)
def test_a_corrupt_line_is_named(tmp_path: Path, line: bytes, said: str) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(b'{"a": 0}\n' + line + b"\n")
    with pytest.raises(InputError) as caught:
        list(read_jsonl(path))
    assert str(caught.value).startswith(f"{path}{said}")


def test_empty_lines_and_a_byte_order_mark_are_no_harm(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b'\xef\xbb\xbf{"a":1}\r\n\r\n{"a":2}')
    assert [value["a"] for value in read_jsonl(tmp_path / "x")] == [1, 2]


def test_an_id_given_twice_is_refused_with_both_places(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^s.jsonl:3: duplicate id 'a', first used at s.jsonl:3"):
        write_rows(tmp_path / "y", [row("a"), row("b"), row("a")])
    write_jsonl(tmp_path / "x", [row("a").to_json(), row("a").to_json()])
    with pytest.raises(InputError, match=r"x:2: duplicate id 'a', first used on line 1"):
        list(read_rows(tmp_path / "x"))


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nothing\.jsonl: No such file or directory"):
        list(read_jsonl(tmp_path / "nothing.jsonl"))


def test_rows_of_a_file_are_a_sequence_that_holds_none(tmp_path: Path) -> None:
    made = [row(f"r{number}", text="é" * number) for number in range(20)]
    write_rows(tmp_path / "x", made)
    rows = LazyRows(tmp_path / "x")
    assert (len(rows), list(rows), rows[3], rows[-1]) == (20, made, made[3], made[-1])
    assert rows[2:5] == made[2:5] and rows[::-7] == made[::-7] and made[4] in rows
    assert rows.read_line_bytes(0) == (tmp_path / "x").read_bytes().splitlines(keepends=True)[0]
    with pytest.raises(IndexError):
        rows[20]


def test_only_big_files_are_read_as_they_are_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_rows(tmp_path / "x", [row("a")])
    assert open_rows(tmp_path / "x") == [row("a")]
    monkeypatch.setattr("factory.data.rows.LAZY_THRESHOLD_BYTES", 10)
    assert isinstance(open_rows(tmp_path / "x"), LazyRows)
    (tmp_path / "x").write_text('{"id": 1, "columns": {}}\n')
    with pytest.raises(InputError, match=r"x:1: not a row: 'provenance'"):
        list(open_rows(tmp_path / "x"))
