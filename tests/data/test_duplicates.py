"""The exact search for near duplicates misses no pair: its results equal those of comparing all pairs."""

import random

import pytest

from factory.api import normalise
from factory.text.near_duplicates import GrowingShingleIndex, find_nearest_frozen
from factory.text.shingles import compute_jaccard, extract_shingles, hash_shingles


@pytest.mark.parametrize(
    ("one", "other"),
    [("Kidney  stone!", "kidney stone"), ("ﬁbrosis", "FIBROSIS"), ("Straße", "STRASSE"), ("a_b-c", "A b c")],
)
def test_the_same_text_in_other_clothes(one: str, other: str) -> None:
    assert normalise(one) == normalise(other)


def test_signs_alone_are_a_text_too() -> None:
    assert normalise("+") != normalise("-") and normalise("  ") == ""


def test_an_equal_text_matches_the_first_frozen_text_that_has_it() -> None:
    frozen = {"a": "Kidney stone", "b": "kidney stone.", "c": ""}
    found = list(find_nearest_frozen({"d": "KIDNEY STONE", "e": "Gallstone", "f": ""}, frozen, 1.0))
    assert found == [("d", "a", 1.0)]


def test_near_texts_come_with_their_similarity() -> None:
    texts = {"b": "stricture of the left ureter, stones", "c": "asthma"}
    ((name, twin, alike),) = find_nearest_frozen(texts, {"a": "stricture of the left ureter, stone"}, 0.8)
    assert (name, twin) == ("b", "a") and 0.8 < alike < 1


def test_short_texts_are_near_only_when_equal() -> None:
    assert list(find_nearest_frozen({"b": "flus", "c": "Flu"}, {"a": "flu"}, 0.5)) == [("c", "a", 1.0)]


@pytest.mark.parametrize("threshold", [0.3, 0.6, 0.8, 0.95])
def test_the_growing_index_finds_the_greatest_similarity(threshold: float) -> None:
    draw = random.Random(5)
    index, added = GrowingShingleIndex(), list[frozenset[str]]()
    for _ in range(120):
        text = " ".join(draw.choices(["stone", "kidney", "ureter", "left", "acute", "of"], k=draw.randint(1, 6)))
        best = max((compute_jaccard(extract_shingles(text), other) for other in added), default=0.0)
        assert index.find_max_similarity(text, threshold) == (pytest.approx(best) if best >= threshold else 0.0)
        index.add(text)
        added.append(extract_shingles(text))


@pytest.mark.parametrize("threshold", [0.3, 0.6, 0.8, 0.95])
def test_no_near_pair_is_missed(threshold: float) -> None:
    draw = random.Random(3)
    words = ["stone", "kidney", "ureter", "left", "right", "acute", "of", "with", "type"]
    texts = {f"{i:03}": " ".join(draw.choices(words, k=draw.randint(1, 6))) for i in range(150)}
    frozen = {f"f{i:03}": " ".join(draw.choices(words, k=draw.randint(1, 6))) for i in range(60)}
    found = {name: alike for name, _, alike in find_nearest_frozen(texts, frozen, threshold)}
    for name, text in texts.items():
        best = max(
            compute_jaccard(extract_shingles(normalise(text)), extract_shingles(normalise(other)))
            for other in frozen.values()
        )
        assert found.get(name) == (pytest.approx(best) if best >= threshold else None)


def test_hashed_grams_are_the_same_sets() -> None:
    texts = ["flu", "gallstone", "", "aaaaaaaaaa", "stone in the left ureter", "كسر في الساق", "😀😀😀😀😀😀 abc"]
    hashes, starts = hash_shingles([normalise(text) for text in texts])
    assert [int(size) for size in starts[1:] - starts[:-1]] == [
        len(extract_shingles(normalise(text))) for text in texts
    ]
    assert len(set(hashes.tolist())) == len(set().union(*(extract_shingles(normalise(text)) for text in texts)))
