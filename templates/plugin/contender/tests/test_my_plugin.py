"""Tests of the contender: the plugin contract, and its own behaviour."""

from pathlib import Path

from my_plugin.contender import MyPlugin

from factory.testing import Case, build_conformance_suite, create_trial

test_conforms = build_conformance_suite("my_plugin", record=Path(__file__).with_name("recorded.json"))


def test_words_of_one_label_decide() -> None:
    rows = [{"text": text, "label": label} for text, label in [("a hot cup", "tea"), ("a cold glass", "juice")] * 20]
    answers = create_trial(MyPlugin(), Case(rows=rows)).run()
    assert max(answers[0]["output"], key=answers[0]["output"].get) == "tea"
    assert max(answers[1]["output"], key=answers[1]["output"].get) == "juice"
