"""Texts that both sides of a split share: found word for word, and in real data exactly those that upstream left."""


import pytest
from places import ROOT

from factory.api import Provenance, Row
from factory.data.leakage import find_repeated_texts

DATA = ROOT.parent / "shared" / "data"
KNOWN = {
    "nli/sick": (("context", "claim"), 49), "extract/restaurant8k": (("text",), 73),
    "classification/trec": (("text",), 11), "classification/banking77": (("text",), 7),
}


def row(name: str, text: str, split: str) -> Row:
    return Row(name, {"text": text}, Provenance("s"), split=split)


def test_a_text_is_one_repeat_however_many_rows_have_it() -> None:
    said = {"a": "Table for two", "b": "table for TWO", "c": "Table for two!"}
    train = [row(name, text, "train") for name, text in said.items()]
    test = [row("x", "table for two", "test"), row("y", "Table for two", "test"), row("z", "", "test")]
    (found,) = find_repeated_texts(train, [*test, row("v", "Table for two!", "validation")], ["text"])
    assert (found.text, found.train, found.test) == ("table for two", ("a", "b"), ("x", "y"))


@pytest.mark.skipif(not DATA.is_dir(), reason="the real data sets are not here")
@pytest.mark.parametrize("name", KNOWN)
def test_upstream_repeats_are_reported_with_exactly_these_rows(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    from repeats import read_file_rows

    on, count = KNOWN[name]
    rows = read_file_rows(DATA / name / "data.jsonl", on)
    sides = {part: [each for each in rows if each.split == part] for part in ("train", "test")}
    found = find_repeated_texts(sides["train"], sides["test"], on)
    assert len(found) == count
    said = {part: {"\n".join(each.columns.values()).lower() for each in side} for part, side in sides.items()}
    assert {repeat.text.lower() for repeat in found} == said["train"] & said["test"]
