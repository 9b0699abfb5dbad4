"""Text is text: numbers are written as JSON writes them, and a list or an object is refused with its line."""

import json
from pathlib import Path
from typing import Any

import pytest
from tiny_parts import Voice

from factory.api import Provenance, Row, render
from factory.data.rows import read_json, read_rows
from factory.data.text_columns import convert_text_columns, list_text_columns
from factory.errors import InputError
from factory.registry.registry import load_installed_registry
from factory.stages import gather
from factory.stages.job import StageJob
from factory_classify.multi_label_task import MultiLabelClassifier
from factory_classify.task import Classifier
from factory_rerank.task import Reranker
from factory_sql.task import SqlGenerator
from factory_voice.task import BrandVoice


def gathered(folder: Path, *records: dict[str, Any], **config: Any) -> list[Row]:
    """The rows of a JSONL file as gather writes them for a classifier."""
    (folder / "d.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    source = {"kind": "jsonl", "file": "d.jsonl", "columns": ["text", "label"]}
    job = StageJob(
        "gather", {"seed": 7, "sources": [source], "text_columns": list_text_columns(Classifier()), **config}, {},
        folder / "out", folder, folder, folder, Voice(), load_installed_registry(),
    )
    (folder / "out").mkdir()
    gather.run(job)
    return list(read_rows(folder / "out" / "rows.jsonl"))


@pytest.mark.parametrize(("value", "text"), [
    (12, "12"), (1.0, "1"), (0.5, "0.5"), (1e30, "1e+30"), (True, "true"), (False, "false"), ("", ""), ("[1]", "[1]"),
])
def test_numbers_and_booleans_are_text_as_json_writes_them(tmp_path: Path, value: Any, text: str) -> None:
    (row,) = gathered(tmp_path, {"text": value, "label": "a"})
    assert row["text"] == text == render("{text}", {"text": value})


@pytest.mark.parametrize(("value", "said"), [
    (["a", "b"], "text: a list where text is wanted; join it to one text, or map another field"),
    ({"en": "a"}, "text: an object where text is wanted; join it to one text, or map another field"),
    ([], "text: a list where text is wanted; join it to one text, or map another field"),
])
def test_what_is_no_text_is_refused_with_its_line_or_skipped(tmp_path: Path, value: Any, said: str) -> None:
    records = [{"text": "fine", "label": "a"}, {"text": value, "label": "b"}]
    with pytest.raises(InputError) as caught:
        gathered(tmp_path, *records)
    assert str(caught.value) == f"source 'jsonl': d.jsonl:2: {said}"
    (tmp_path / "out").rename(tmp_path / "before")
    assert [row["text"] for row in gathered(tmp_path, *records, on_error="skip")] == ["fine"]
    (facts,) = read_json(tmp_path / "out" / "gather.json")["sources"]
    assert facts["skipped"] == {"rows": 1, "first": [f"d.jsonl:2: {said}"]}


def test_a_null_that_a_source_lets_through_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^s:1: text: null where text is wanted; set a text, or remove the record$"):
        convert_text_columns(Row("r", {"text": None}, Provenance("s", 1)), ["text"])


def test_every_column_that_a_prompt_shows_must_be_text() -> None:
    assert list_text_columns(Classifier(text_template="{title}: {text}")) == ["text", "title"]
    assert list_text_columns(MultiLabelClassifier(multi_label=True)) == ["text"]
    assert list_text_columns(SqlGenerator()) == ["question", "sql"]
    assert list_text_columns(BrandVoice()) == ["answer", "neutral", "question"]
    assert "relevant" not in list_text_columns(Reranker())
