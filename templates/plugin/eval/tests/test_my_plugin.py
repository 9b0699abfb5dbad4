"""What the eval owes whoever builds with it, and what it is for."""

from pathlib import Path

from my_plugin.eval import MyPlugin

from factory.testing import Case, build_conformance_suite, create_trial

test_it_keeps_the_contract = build_conformance_suite("my_plugin", record=Path(__file__).with_name("recorded.json"))


def test_a_confident_mistake_costs_more() -> None:
    rows = [{"label": "a"}, {"label": "a"}, {"label": "a"}]
    said = [{"a": 0.9, "b": 0.1}, {"a": 0.4, "b": 0.6}, {"a": 0.1, "b": 0.9}]
    scores = create_trial(MyPlugin(cost=2), Case(rows=rows, answers=said)).run()[0]
    assert [one["values"]["weighed"] for one in scores] == [1.0, -1.2, -1.8]
