"""Tests of the source: the plugin contract, and its own behaviour."""

from pathlib import Path

import pytest
from my_plugin.source import MyPlugin

from factory.api import Job, NoOpReporter
from factory.testing import Case, build_conformance_suite

HERE = Path(__file__).parent
LINES = (HERE.parent / "rows.txt").read_text("utf-8")
CASE = Case(fields={"file": "rows.txt"}, files={"rows.txt": LINES})

test_conforms = build_conformance_suite("my_plugin", {"my-plugin": CASE}, record=HERE / "recorded.json")


def test_a_row_has_its_line_number(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("# two lines\nstone: a flint\n")
    (row,) = MyPlugin(file=Path("a.txt")).iter_rows(Job(7, NoOpReporter(), tmp_path))
    assert dict(row.columns) == {"text": "a flint", "label": "stone"} and row.provenance.line == 2


def test_a_line_without_a_label_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("stone: a flint\na flint\n")
    with pytest.raises(ValueError, match=r"a\.txt:2: expected `label: text`"):
        list(MyPlugin(file=Path("a.txt")).iter_rows(Job(7, NoOpReporter(), tmp_path)))
