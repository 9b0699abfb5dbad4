"""The source of plain JSON lines: columns by name, and one line for what is wrong."""

import json
from pathlib import Path

import pytest
from pydantic import ValidationError
from tiny_parts import Voice

from factory.api import Job, Row
from factory.errors import InputError
from factory_sources.jsonl import Jsonl

ROWS = [
    {"text": "مرحبا", "intent": "greet", "turns": ["a", "b"], "who": 3, "split": "train"},
    {"text": "bye", "intent": "part", "turns": [], "who": "x", "split": "dev"},
]


def source(folder: Path, rows: list[object] = ROWS, **fields: object) -> Jsonl:
    lines = [row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows]
    (folder / "rows.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return Jsonl(**{"file": Path("rows.jsonl"), "columns": ["text"], **fields})


def read(source: Jsonl, folder: Path, voice: Voice | None = None) -> list[Row]:
    return list(source.iter_rows(Job(7, voice or Voice(), folder)))


def test_fields_become_columns_under_their_own_or_another_name(tmp_path: Path) -> None:
    names = {"group": "who", "split": "split", "licence": "MIT"}
    made = source(tmp_path, columns=["text", "turns"], map={"label": "intent"}, **names)
    first, second = read(made, tmp_path)
    assert made.output_columns == ("label", "text", "turns")
    assert first.columns == {"label": "greet", "text": "مرحبا", "turns": ["a", "b"]}
    assert (first.id, first.group, first.split, second.group, second.split) == ("rows#1", "3", "train", "x", "dev")
    assert (second.provenance.source, second.provenance.line, second.provenance.licence) == ("rows.jsonl", 2, "MIT")


def test_rows_may_be_drawn_the_same_ones_for_a_seed(tmp_path: Path) -> None:
    voice, many = Voice(), [{"text": f"t{number}"} for number in range(50)]
    made = source(tmp_path, many, limit=5)
    drawn = [row.id for row in read(made, tmp_path, voice)]
    assert len(drawn) == 5 and drawn == [row.id for row in read(made, tmp_path)]
    assert voice.notes == ["rows.jsonl: sampled 5 of 50 rows"]


@pytest.mark.parametrize(("line", "fields", "said"), [
    ({"body": "a"}, {}, "rows.jsonl:1: text: no such field; the record has body"),
    ({"text": None}, {}, "rows.jsonl:1: text: is null; set a value, or remove the record"),
    ({"text": "a", "who": [1]}, {"group": "who"}, "rows.jsonl:1: who: expected text or a whole number, got "
     "list; convert it to text"),
    ({"text": "a"}, {"split": "part"}, "rows.jsonl:1: part: no such field; the record has text"),
    ('{"text": ', {}, "rows.jsonl:1: not JSON: Expecting value"),
])
def test_a_bad_line_is_named(tmp_path: Path, line: object, fields: dict, said: str) -> None:
    with pytest.raises((ValueError, InputError)) as caught:
        read(source(tmp_path, [line], **fields), tmp_path)
    assert said in str(caught.value)


@pytest.mark.parametrize(("fields", "said"), [
    ({"columns": []}, "no fields to read"), ({"map": {"text": "body"}}, "'text' is in both `columns` and `map`"),
])
def test_fields_that_mean_nothing_are_refused(tmp_path: Path, fields: dict, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        source(tmp_path, **fields)
