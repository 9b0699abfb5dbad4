"""Leakage: every training row too close to a frozen one goes, and the counts afterwards prove it."""

import re

from factory.api import Provenance, Row
from factory.data.leakage import LeakageCriteria, build_leakage_proof, count_remaining_leaks, find_leaks


def row(name: str, query: str, group: str = "", parents: tuple[str, ...] = ()) -> Row:
    return Row(name, {"query": query}, Provenance("s", parents=parents), group)


NEAR = LeakageCriteria(("query",), 0.8)
FROZEN = [row("t1", "Kinking and stricture of the left ureter", "N13"), row("t2", "Bronchial asthma", "J45")]
TRAIN = [
    row("same group", "Something else", "N13"),
    row("same text", "bronchial  ASTHMA", "J46"),
    row("near", "Kinking and stricture of the left ureters", "N14"),
    row("child", "Spasm of bronchi", "made", ("t2",)),
    row("fine", "Kidney stone", "N20"),
]


def test_each_kind_of_leak_is_found_with_its_twin() -> None:
    found = {leak.row: (leak.match_type, leak.frozen_row) for leak in find_leaks(TRAIN, FROZEN, NEAR)}
    assert found == {
        "same group": ("group", "t1"), "same text": ("exact", "t2"), "near": ("near", "t1"), "child": ("group", "t2"),
    }


def test_reasons_are_words() -> None:
    said = [leak.reason for leak in find_leaks(TRAIN, FROZEN, NEAR)]
    assert said[:2] == ["same group as a frozen row", "same text as a frozen row"]
    assert re.fullmatch(r"text similarity 0\.\d\d to a frozen row", said[2])


def test_the_proof_counts_what_is_left_and_what_went() -> None:
    found = find_leaks(TRAIN, FROZEN, NEAR)
    gone = {leak.row for leak in found}
    evidence = build_leakage_proof([r for r in TRAIN if r.id not in gone], FROZEN, NEAR, found)
    assert evidence == {
        "test_groups_in_training": 0, "exact": 0, "near": 0, "dropped": {"group": 2, "exact": 1, "near": 1},
        "compared": 2, "threshold": 0.8,
    }
    assert count_remaining_leaks(evidence) == 0


def test_a_leak_left_in_shows_in_the_proof() -> None:
    evidence = build_leakage_proof(TRAIN, FROZEN, NEAR)
    assert (evidence["test_groups_in_training"], evidence["exact"], evidence["near"]) == (2, 1, 1)
    assert count_remaining_leaks(evidence) == 4
