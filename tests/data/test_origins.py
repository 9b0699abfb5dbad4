"""Licences of training rows: those of made rows follow from their parents, near and far, and reach the bundle."""

from factory.api import Provenance, Row
from factory.bundle.model_card import render_licence_notes
from factory.data.licences import count_generators, count_licences


def row(name: str, licence: str = "", parents: tuple[str, ...] = (), generator: str = "", **more: str) -> Row:
    table = more.pop("table", "")
    return Row(name, {"text": name}, Provenance("s", 0, licence, generator, parents, more), table=table)


FREE, SHARED, DOCUMENT = row("free", "CC0-1.0"), row("shared", "CC BY 4.0"), row("d1", "MIT", table="documents")
BOTH = row("both", "CC0-1.0", ("free", "shared"), "paraphrase", model="small")
GRANDCHILD = row("grandchild", "", ("both", "documents/d1", "nobody"), "questions")


def test_a_made_row_comes_under_the_licences_of_all_its_parents() -> None:
    assert count_licences([BOTH], [FREE, SHARED]) == {"CC BY 4.0": 1, "CC0-1.0": 1}
    assert count_licences([GRANDCHILD, FREE], [BOTH, SHARED, DOCUMENT]) == {"CC BY 4.0": 1, "CC0-1.0": 2, "MIT": 1}


def test_what_states_nothing_is_unknown_and_circles_end() -> None:
    circle = [row("a", "", ("b",)), row("b", "", ("a",))]
    assert count_licences(circle) == {"unknown": 2}


def test_what_made_rows_is_counted_with_its_model() -> None:
    assert count_generators([BOTH, GRANDCHILD, FREE]) == {"paraphrase (small)": 1, "questions": 1}


def test_the_bundle_tells_licences_and_generators() -> None:
    base = {"id": "org/base", "source": "hub", "licence": "MIT"}
    curate = {"licences": {"CC BY 4.0": 1200}, "generators": {"paraphrase (small)": 300}}
    said = render_licence_notes(base, {"sources": [{"kind": "jsonl", "licences": ["CC BY 4.0"]}]}, curate)
    assert "| training rows | 1,200 rows, or the rows they were made from | CC BY 4.0 |" in said
    assert "| synthetic rows | 300 by paraphrase (small) |" in said
    assert "training rows |" not in render_licence_notes(base, {"sources": []}, {})
