"""Supported claims corrupted: what each kind changes, and what is left alone because it may still be so."""

import pytest
from synth_parts import printed, row, run
from tiny_parts import Voice

from factory_synth.corrupt_claims import CorruptClaims

EVIDENCE = {
    "curie": "Marie Curie was born in Warsaw in 1867. She moved to Paris, and worked there with Pierre Curie.",
    "meitner": "Lise Meitner was born in Vienna. Her brother stayed in Vienna, and her sister in Warsaw.",
    "trial": "We enrolled 120 patients in two hospitals. Pain fell in 64 % of them. Nobody died. The cost was low.",
}
CLAIMS = {
    "curie": "Marie Curie was born in Warsaw.", "meitner": "Lise Meitner was born in Vienna.",
    "trial": "Pain fell in 64 % of the patients.",
}
ROWS = [row(n, f"g-{n}", claim=CLAIMS[n], evidence=EVIDENCE[n], label="supported") for n in CLAIMS]


def corrupt(claim: str, evidence: str, *kinds: str) -> str:
    """The one corrupted claim, or nothing."""
    rows = [*ROWS, row("x", claim=claim, evidence=evidence, label="it")]
    made = run(CorruptClaims(supported="it", kinds=list(kinds)), rows)
    return made[0]["claim"] if made else ""


def test_a_row_is_made_for_each_claim_with_its_change_group_and_parent() -> None:
    voice = Voice()
    made = run(CorruptClaims(), ROWS, voice)
    assert [one.provenance.parents for one in made] == [(name,) for name in CLAIMS]
    assert {one["label"] for one in made} == {"unsupported"} and made[0].group == "g-curie"
    for one in made:
        detail, parent = one.provenance.detail, CLAIMS[one.provenance.parents[0]]
        assert one.provenance.generator == "corrupt-claims" and one.provenance.licence == "CC0-1.0"
        changed = parent.replace(detail["was"], detail["now"], 1)
        assert one["claim"] == changed != parent or detail["corruption"] == "drop"
    assert voice.notes[0].startswith("unsupported claims (1 entity, ")


def test_kinds_are_used_in_turn() -> None:
    rows = [row(f"r{n}", claim=f"In 19{n} he was paid {n} gulden.", evidence=f"In 19{n} he was paid {n} gulden in all.",
                label="supported") for n in range(40, 60)]
    made = run(CorruptClaims(kinds=["number", "date", "negation"]), rows)
    kinds = [one.provenance.detail["corruption"] for one in made]
    assert {kind: kinds.count(kind) for kind in kinds} == {"number": 7, "date": 7, "negation": 6}


def test_a_place_is_swapped_for_another_place() -> None:
    assert corrupt("Marie Curie was born in Warsaw.", EVIDENCE["curie"], "entity") in (
        "Marie Curie was born in Vienna.", "Lise Meitner was born in Warsaw.", "Pierre Curie was born in Warsaw.")


def test_a_value_that_the_evidence_also_supports_is_refused() -> None:
    evidence = "It rained in Vienna in May. It rained in Warsaw in May. It snowed in Vienna. It snowed in Warsaw."
    assert corrupt("It rained in Warsaw in May.", evidence, "entity") == ""
    twice = "Of the patients 64 % felt less pain in spring. Of the patients 32 % felt less pain in autumn."
    for seed in range(5):
        rows = [row("x", claim="Of the patients 64 % felt less pain.", evidence=twice, label="supported")]
        assert run(CorruptClaims(kinds=["number"], seed=seed), rows)[0].provenance.detail["now"] != "32"


@pytest.mark.parametrize("claim", [
    "The share rose by 5 % since 1970.", "More than 120 patients were enrolled.", "People aged 80 or older were asked.",
    "Between 20 and 30 people came.", "Up to 7 people came.",
])
def test_bounds_are_not_touched(claim: str) -> None:
    assert corrupt(claim, f"{claim} So it was in 1970, by 5 %, 120, 80, 20, 30 and 7.", "number", "date") == ""


def test_counts_in_words_only_grow_and_sorts_stay_sorts() -> None:
    more = corrupt("Two dogs run.", "Two dogs run fast.", "number")
    assert more.split()[0] in ("Three", "Four", "Five", "Six")
    assert corrupt("He has type 1 diabetes.", "He has type 1 diabetes.", "number") == ""
    both = "For years he has had type 1 diabetes. His mother was told that hers was of type 2."
    assert corrupt("He has had type 1 diabetes for years.", both, "number") == "He has had type 2 diabetes for years."


@pytest.mark.parametrize(("claim", "turned"), [
    ("A dog is running.", "A dog is not running."), ("It can swim.", "It cannot swim."),
    ("There is a dog.", "There is no dog."), ("There is no owl here.", "There is an owl here."),
    ("He was not paid.", "He was paid."), ("Nobody is there.", "Somebody is there."),
    ("Sales have risen.", "Sales have not risen."),
    ("All birds can fly.", ""), ("It may help.", ""), ("Is it there?", ""), ("The man who is old sings.", ""),
    ("She has a dog.", ""), ("If it is wet, it rains.", ""),
])
def test_negation_turns_a_claim_over_or_leaves_it(claim: str, turned: str) -> None:
    assert corrupt(claim, "Something else.", "negation") == turned


def test_support_is_dropped_only_where_it_stands_alone() -> None:
    rows = [row("trial", claim=CLAIMS["trial"], evidence=EVIDENCE["trial"], label="supported")]
    one, = run(CorruptClaims(kinds=["drop"], missing="unknown"), rows)
    assert one["label"] == "unknown" and one["claim"] == CLAIMS["trial"]
    assert one["evidence"] == "We enrolled 120 patients in two hospitals. Nobody died. The cost was low."
    assert corrupt("Pain fell in 64 % of the patients.", "Pain fell in 64 % of patients.", "drop") == ""
    assert corrupt("Did pain fall in 64 % of the patients?", EVIDENCE["trial"], "drop") == ""


def test_what_can_not_be_is_said() -> None:
    voice = Voice()
    assert run(CorruptClaims(kinds=["date"]), ROWS[1:], voice) == []
    assert "2 rejected: claim allows no safe corruption (2, such as 'Lise Meitner" in voice.notes[0]
    with pytest.raises(ValueError, match="no training row has label 'yes'"):
        run(CorruptClaims(supported="yes"), ROWS)


def test_one_kind_alone_is_warned_of() -> None:
    voice = Voice()
    run(CorruptClaims(kinds=["date", "negation"]), ROWS[:2], voice)
    assert "may learn to spot that kind" in voice.notes[-1]


def test_the_same_rows_whatever_the_order_of_hashes() -> None:
    program = "from test_claims import *\nfor r in run(CorruptClaims(per_claim=3), ROWS): print(r.to_json())"
    assert printed(program, "1") == printed(program, "2") != ""
