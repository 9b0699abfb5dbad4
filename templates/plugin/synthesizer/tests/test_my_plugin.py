"""Tests of the synthesizer: the plugin contract, and its own behaviour."""

import random
from pathlib import Path

from my_plugin.synthesizer import MyPlugin, swap_letters

from factory.api import NoOpReporter, Provenance, Row, RowsJob
from factory.testing import build_conformance_suite

test_conforms = build_conformance_suite("my_plugin", record=Path(__file__).with_name("recorded.json"))

ROWS = [Row(f"r{n}", {"text": f"a photograph of number {n}", "label": "x"}, Provenance("here")) for n in range(40)]


def test_a_copy_has_the_label_and_the_letters_of_its_parent() -> None:
    copies = list(MyPlugin(share=1).synthesize(RowsJob(7, NoOpReporter(), Path(), rows=ROWS)))
    parents = {row.id: row for row in ROWS}
    assert 20 < len(copies) <= 40
    for copy in copies:
        parent = parents[copy.provenance.parents[0]]
        assert copy["label"] == parent["label"] and copy["text"] != parent["text"]
        assert sorted(copy["text"]) == sorted(parent["text"])


def test_a_text_of_short_words_is_unchanged() -> None:
    assert swap_letters("a cat sat", random.Random(1)) == "a cat sat"
