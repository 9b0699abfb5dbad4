"""What the task owes whoever builds with it, and what it is for."""

import json
from pathlib import Path

from my_plugin.task import MyPlugin

from factory.api import Answer
from factory.testing import Case, build_conformance_suite

HERE = Path(__file__).parent
PAIRS = [json.loads(line) for line in (HERE.parent / "pairs.jsonl").read_text("utf-8").splitlines()]
CASE = Case(rows=[{name: pair[name] for name in ("claim", "evidence", "label")} for pair in PAIRS])

test_it_keeps_the_contract = build_conformance_suite("my_plugin", {"my-plugin": CASE}, record=HERE / "recorded.json")


def test_a_question_is_read_as_rows_are() -> None:
    row = MyPlugin().question({"query": "it is a stone", "evidence": "she drew a flint"})
    assert row["text"] == "she drew a flint → it is a stone"
    assert MyPlugin().reply(row, {}, Answer("question", {"supported": 0.75, "refuted": 0.25})) == "supported 0.75"
