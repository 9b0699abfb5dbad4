"""Tests of the curator: the plugin contract, and its own behaviour."""

from pathlib import Path

from my_plugin.curator import MyPlugin

from factory.api import NoOpReporter, Provenance, Row, RowsJob
from factory.testing import build_conformance_suite

test_conforms = build_conformance_suite("my_plugin", record=Path(__file__).with_name("recorded.json"))


def test_a_text_that_repeats_one_word_is_dropped_with_a_reason() -> None:
    texts = {"a": "an old grey cat", "b": "cat cat cat Cat"}
    rows = [Row(name, {"text": text}, Provenance("here")) for name, text in texts.items()]
    kept, dropped = MyPlugin().curate(RowsJob(7, NoOpReporter(), Path(), rows=rows))
    assert kept.kept and not kept.why
    assert not dropped.kept and dropped.why == "fewer than 3 different words"
