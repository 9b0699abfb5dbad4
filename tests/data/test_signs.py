"""Signs and operators are part of a text, wherever texts are compared; leaks are looked for by words as well."""

import random

import pytest
from curator_parts import decided, rows_of

from factory.api import Provenance, Row, normalise, normalise_words
from factory.data.leakage import LeakageCriteria, find_leaks
from factory.data.split import get_row_group
from factory_contenders.endpoint_backend import match_choice
from factory_curators.conflicts import Conflicts
from factory_curators.exact_duplicates import ExactDuplicates
from factory_curators.near_duplicate_rows import NearDuplicates

DIFFERENT = [
    ("price > 5", "price < 5"), ("is x<y?", "is x>y?"), ("x >= 3", "x > 3"), ("a = b", "a != b"),
    ("C++", "C#"), ("C++", "C"), ("C# code", "C code"), ("grade A+", "grade A"), ("18+ only", "18 only"),
    ("3.5 mg", "3,5 mg"), ("3.5 mg", "35 mg"), ("10:30", "10.30"), ("1/2 cup", "12 cup"),
    ("½ cup", "1 2 cup"),
    ("-5", "5"), ("it is -5 today", "it is 5 today"), ("\u22125 degrees", "5 degrees"), (".5 mg", "5 mg"),
    ("+5%", "\u22125%"), ("+5 %", "-5 %"), ("5 %", "5"), ("$5", "£5"),
    ("2 + 3", "2 - 3"), ("2*3", "2+3"), ("x+y", "x y"),
]
SAME = [
    ("Kidney  stone!", "kidney stone"), ("in 2010.", "in 2010"), ("in 2010, and", "In 2010 and"), ("x<y", "X < y"),
    ("5%", "5 %"), ("covid-19", "COVID 19"), ("5\u20137", "5-7"), ("\u22125", "-5"), ("(5)", "5"),
    ("and/or", "and or"),
    ("**bold** text", "bold text"), ("- one\n- two", "one two"), ("# Heading", "heading"), ("> quoted", "quoted"),
    ("well - yes", "well, yes"), ("$5", "$ 5"), ("1 + 2", "1+2"), ("C++.", "c++"),
    ("a_b-c", "A b c"), ("ﬁve > 4", "FIVE > 4"),
]
NEAR = LeakageCriteria(("text",), 0.8)


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_texts_that_differ_in_a_sign_are_different(one: str, other: str) -> None:
    assert normalise(one) != normalise(other)
    assert normalise(f"See: {one}?") != normalise(f"see {other}")
    assert decided(ExactDuplicates(), rows_of(one, other))["r1"].kept


@pytest.mark.parametrize(("one", "other"), SAME)
def test_punctuation_and_spaces_make_no_difference(one: str, other: str) -> None:
    assert normalise(one) == normalise(other)
    assert decided(ExactDuplicates(), rows_of(one, other))["r1"].twin == "r0"


def test_what_is_the_same_is_the_same_by_words_too() -> None:
    draw = random.Random(0)
    for _ in range(5000):
        text = "".join(draw.choices("ab5 3.,+-<>=%#*/:^_\n$'!?(½é\u2212", k=draw.randint(1, 9)))
        assert normalise_words(normalise(text)) == normalise_words(text)
        assert normalise(text) == normalise(f"  {text.upper()}  ")


def test_texts_of_different_signs_are_no_conflict() -> None:
    conflicts = Conflicts(input_columns=["text"], answer_columns=["label"])
    for pair in DIFFERENT:
        assert all(decision.kept for decision in decided(conflicts, rows_of(*pair, label=["a", "b"])).values())
    two = rows_of("price > 5", "Price > 5?", label=["a", "b"])
    assert not any(decision.kept for decision in decided(conflicts, two).values())


def test_short_texts_of_different_signs_are_not_near() -> None:
    assert all(one.kept for one in decided(NearDuplicates(), rows_of("price > 5", "price < 5")).values())


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_a_leak_is_found_whether_signs_differ_or_not(one: str, other: str) -> None:
    train, frozen = [Row("a", {"text": one}, Provenance("s"))], [Row("b", {"text": other}, Provenance("s"))]
    same_words = normalise_words(one) == normalise_words(other)
    found = find_leaks(train, frozen, NEAR)
    assert [(leak.match_type, leak.similarity) for leak in found] == [("near", 1.0)] * same_words or (
        found[0].match_type == "group" and same_words
    )
    assert find_leaks(train, [Row("b", {"text": one.upper()}, Provenance("s"), "g")], NEAR)[0].match_type == "exact"


def test_copies_with_other_signs_stay_on_one_side_of_the_split() -> None:
    groups = {get_row_group(row, "text") for row in rows_of("price > 5", "Price < 5")}
    assert groups == {"price 5"}


def test_a_label_with_a_sign_is_told_from_one_without() -> None:
    said = ("c++", "It is C#.", "C", "In C++, surely")
    assert [match_choice(text, ["C", "C++", "C#"]) for text in said] == [1, 2, 0, 1]
