"""Curators: which rows stay, and the row that a dropped one repeats."""

from pathlib import Path

from rerank_parts import HERE, Voice

from factory.api import Row, RowsJob
from factory_curators.exact import Exact
from factory_curators.near import Near


def decided(curator: Exact | Near, *rows: dict[str, object]) -> dict[str, tuple[bool, str]]:
    made = [Row(f"r{i}", columns, HERE) for i, columns in enumerate(rows)]
    return {one.id: (one.kept, one.twin) for one in curator.keep(RowsJob(7, Voice(), Path(), rows=made))}


def test_the_first_of_equal_texts_stays() -> None:
    found = decided(Exact(), {"query": "Kidney stone"}, {"query": "Gout"}, {"query": "kidney  stone."})
    assert found == {"r0": (True, ""), "r1": (True, ""), "r2": (False, "r0")}


def test_rows_that_differ_in_another_text_stay_unless_told() -> None:
    rows = ({"text": "great", "label": "good"}, {"text": "Great!", "label": "bad"})
    assert decided(Exact(), *rows)["r1"] == (True, "")
    assert decided(Exact(on=["text"]), *rows)["r1"] == (False, "r0")


def test_near_texts_go_at_the_threshold() -> None:
    rows = ({"query": "stricture of the left ureter"}, {"query": "stricture of the left ureters"})
    assert decided(Near(threshold=0.8), *rows)["r1"] == (False, "r0")
    assert decided(Near(threshold=0.99), *rows)["r1"] == (True, "")
