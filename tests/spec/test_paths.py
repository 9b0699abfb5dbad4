"""Paths of a spec that do not exist: what may be meant is said."""

from pathlib import Path

import pytest

from factory.spec.paths import suggest_path


@pytest.mark.parametrize(("written", "said"), [
    ("data\\rows.jsonl", "; did you mean 'data/rows.jsonl'? Paths are written with / here"),
    ("C:\\data\\rows.jsonl", "; did you mean 'data/rows.jsonl'? Paths are written with / here"),
    ("C:\\elsewhere.jsonl", "; paths are written with / here"),
    ("data/rows", "; did you mean 'data/rows.jsonl'?"), ("data/rows.json", "; did you mean 'data/rows.jsonl'?"),
    ("data/Rows.jsonl", "; did you mean 'data/rows.jsonl'?"), ("data/row.jsonl", "; did you mean 'data/rows.jsonl'?"),
    ("data/other.csv", ""), ("data/roses.jsonl", ""), ("nowhere/rows.jsonl", ""),
])
def test_a_near_path_is_named(tmp_path: Path, written: str, said: str) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "rows.jsonl").touch()
    assert suggest_path(written, tmp_path) == said


def test_a_home_folder_is_written_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "d.jsonl").touch()
    assert suggest_path("~/d.jsonl", tmp_path) == f" (`~` is not expanded; write {tmp_path}/d.jsonl)"
    whole = " (`~` is not expanded; write the whole path, or one relative to the spec)"
    assert suggest_path("~/e.jsonl", tmp_path) == whole
