"""Curators of duplicates: which rows are alike, which one of them stays, and the row that a dropped one repeats."""

import random

import pytest
from curator_parts import decided, rows_of

from factory.api import Curator, Row, normalise
from factory.text.shingles import compute_jaccard, extract_shingles
from factory_curators.balance import Balance
from factory_curators.exact_duplicates import ExactDuplicates
from factory_curators.minhash import MAX_MISS_RATE, choose_lsh_bands
from factory_curators.near_duplicate_rows import NearDuplicates
from factory_curators.semantic_duplicates import SemanticDuplicates

URETER = "stricture of the left ureter, seen before and after the operation"


def gone(curator: Curator, rows: list[Row]) -> dict[str, str]:
    """Dropped row → the row that it repeats."""
    return {name: decision.twin for name, decision in decided(curator, rows).items() if not decision.kept}


def test_the_first_of_equal_texts_stays() -> None:
    assert gone(ExactDuplicates(), rows_of("Kidney stone", "Gout", "kidney  stone.", "", "")) == {"r2": "r0"}


def test_rows_that_differ_in_another_text_stay_unless_told() -> None:
    rows = rows_of("great", "Great!", label=("good", "bad"))
    assert gone(ExactDuplicates(), rows) == {} and gone(ExactDuplicates(text_columns=("text",)), rows) == {"r1": "r0"}


def test_which_row_stays_is_a_rule() -> None:
    rows = rows_of("kidney stone", "Kidney... stone!", "KIDNEY STONE")
    rows = [row.with_provenance_detail(score=score) for row, score in zip(rows, (0.2, 0.4, 0.9), strict=True)]
    assert gone(ExactDuplicates(prefer="longest"), rows) == {"r0": "r1", "r2": "r1"}
    assert gone(ExactDuplicates(prefer="best"), rows) == {"r0": "r2", "r1": "r2"}


def test_near_texts_go_at_the_threshold() -> None:
    rows = rows_of("stricture of the left ureter", "stricture of the left ureters")
    assert gone(NearDuplicates(threshold=0.8), rows) == {"r1": "r0"} and gone(
        NearDuplicates(threshold=0.99), rows
    ) == {}


def test_a_chain_of_near_texts_is_one_component_unless_told() -> None:
    texts = [f"{URETER} {' '.join(f'number{n}' for n in range(k, k + 4))}" for k in range(5)]
    ends = compute_jaccard(extract_shingles(normalise(texts[0])), extract_shingles(normalise(texts[4])))
    step = compute_jaccard(extract_shingles(normalise(texts[0])), extract_shingles(normalise(texts[1])))
    assert ends < 0.7 < step
    said = decided(NearDuplicates(threshold=0.7), rows_of(*texts))
    assert {name for name, one in said.items() if not one.kept} == {"r1", "r2", "r3", "r4"}
    assert said["r1"].why == f"similarity {step:.2f}" and said["r4"].why.endswith("connected through other rows")
    kept = NearDuplicates(threshold=0.7, transitive=False)
    assert gone(kept, rows_of(*texts)) == {"r1": "r0", "r2": "r0", "r4": "r3"}


@pytest.mark.parametrize("threshold", [0.5, 0.8, 0.9])
def test_minhash_finds_the_pairs_that_a_comparison_of_all_finds(threshold: float) -> None:
    draw = random.Random(5)
    words = [f"{a}{b}" for a in ("ne", "ur", "car", "gas", "der") for b in ("phro", "etero", "dio", "tro", "mato")]
    texts = [" ".join(draw.choices(words, k=14)) for _ in range(120)]
    texts += [" ".join([*text.split()[:-1], draw.choice(words)]) for text in texts[:40]]
    bags = [extract_shingles(normalise(text)) for text in texts]
    near = {(i, j) for j in range(len(texts)) for i in range(j) if compute_jaccard(bags[i], bags[j]) >= threshold}
    lost = set(gone(NearDuplicates(threshold=threshold, transitive=False), rows_of(*texts)))
    kept = [i for i in range(len(texts)) if f"r{i}" not in lost]
    assert near and not [(i, j) for i, j in near if i in kept and j in kept]
    count, width = choose_lsh_bands(threshold)
    assert (1 - threshold**width) ** count <= MAX_MISS_RATE


def test_the_same_meaning_in_other_words_goes() -> None:
    rows = rows_of("please cancel my plan", "please terminate my membership", "where is it", "please stop my plan!")
    assert gone(NearDuplicates(threshold=0.8), rows) == {}
    assert gone(SemanticDuplicates(), rows) == {"r1": "r0", "r3": "r0"}


def test_the_embedder_is_asked_for_only_where_it_embeds() -> None:
    assert SemanticDuplicates().get_required_models() == ("embedder",) and SemanticDuplicates(
        model="student"
    ).get_required_models() == ()


def test_balance_keeps_so_many_of_each_label() -> None:
    rows = rows_of(*"abcdef", label=("x", "x", "x", "x", "y", "y"))
    assert len(gone(Balance(count=2), rows)) == 2


def test_a_column_that_is_not_there_is_named() -> None:
    with pytest.raises(ValueError, match="no column 'title'; they have text"):
        decided(ExactDuplicates(text_columns=("title",)), rows_of("a"))
