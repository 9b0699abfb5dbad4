"""Tests of the task: the plugin contract, and its own behaviour."""

import json
from pathlib import Path

from my_plugin.task import MyPlugin

from factory.api import Answer
from factory.testing import Case, build_conformance_suite

HERE = Path(__file__).parent
PAIRS = [json.loads(line) for line in (HERE.parent / "pairs.jsonl").read_text("utf-8").splitlines()]
CASE = Case(rows=[{name: pair[name] for name in ("claim", "evidence", "label")} for pair in PAIRS])

test_conforms = build_conformance_suite("my_plugin", {"my-plugin": CASE}, record=HERE / "recorded.json")


def test_a_query_is_rendered_like_a_row() -> None:
    row = MyPlugin().build_query_row({"query": "it is a stone", "evidence": "she drew a flint"})
    assert row["text"] == "she drew a flint → it is a stone"
    answer = Answer("question", {"supported": 0.75, "refuted": 0.25})
    assert MyPlugin().format_answer(row, {}, answer) == "supported 0.75"
