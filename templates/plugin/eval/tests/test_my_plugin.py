"""Tests of the eval: the plugin contract, and its own behaviour."""

from pathlib import Path

from my_plugin.eval import MyPlugin

from factory.testing import Case, build_conformance_suite, create_trial

test_conforms = build_conformance_suite("my_plugin", record=Path(__file__).with_name("recorded.json"))


def test_a_confident_mistake_costs_more() -> None:
    rows = [{"label": "a"}, {"label": "a"}, {"label": "a"}]
    answers = [{"a": 0.9, "b": 0.1}, {"a": 0.4, "b": 0.6}, {"a": 0.1, "b": 0.9}]
    scores = create_trial(MyPlugin(cost=2), Case(rows=rows, answers=answers)).run()[0]
    assert [score["values"]["weighted"] for score in scores] == [1.0, -1.2, -1.8]
