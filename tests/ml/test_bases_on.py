"""`factory bases --on`: how well a tokenizer suits a text."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from tiny_decoder import tiny_decoder

from factory.cli.commands.bases_ import command
from factory.cli.text_files import read_texts
from factory.errors import InputError
from factory.ml.tokenizer_stats import measure_tokenizer


def test_a_tokenizer_of_bytes_needs_two_tokens_for_an_arabic_letter(tmp_path: Path) -> None:
    base = tiny_decoder(tmp_path / "model")
    english, arabic = measure_tokenizer(base.folder, ["a cat sat"]), measure_tokenizer(base.folder, ["قطة"])
    assert english.words == pytest.approx(9 / 3)
    assert arabic.words == 6 and arabic.longest == 6 and arabic.unknown == 0


def test_the_command_measures_a_local_base_on_a_column(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = tiny_decoder(tmp_path / "model")
    rows = [{"tweet": "مع فيدرر يا آجا والكبار"}, {"tweet": "two words"}]
    data = tmp_path / "data.jsonl"
    data.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    monkeypatch.setenv("FACTORY_HOME", str(tmp_path / "home"))
    asked = [str(base.folder), "--on", str(data), "--column", "tweet", "--json"]
    (found,) = json.loads(CliRunner().invoke(command, asked, catch_exceptions=False).stdout)
    assert found["words"] > 4 and found["longest"] == len(rows[0]["tweet"].encode())


def test_a_missing_column_is_named_with_its_line_and_the_others(tmp_path: Path) -> None:
    (tmp_path / "data.jsonl").write_text('{"tweet": "a"}\n')
    message = r"data.jsonl:1: text: missing, or not a string; set --column to one of: tweet"
    with pytest.raises(InputError, match=message):
        read_texts(tmp_path / "data.jsonl", "text")
