"""The split: whole groups, the same for any order, and what a source brought stays."""

import os
import random
import subprocess
import sys
from collections import Counter

import pytest

from factory.api import Provenance, Row
from factory.data import split as splitting
from factory.data.split import get_row_group
from factory.errors import InputError
from factory.spec.fields import Split

WANTED = Split(test=30, validation=10)


def row(number: int, group: str = "", part: str = "", **columns: object) -> Row:
    return Row(f"r{number:03}", {"text": f"text {number}", **columns}, Provenance("s", number), group, part)


def grouped(count: int = 200, groups: int = 40) -> list[Row]:
    return [row(number, f"g{number % groups}") for number in range(count)]


def split(rows: list[Row], wanted: Split, text: str) -> dict[str, list[Row]]:
    """The rows of each part."""
    return {
        part: [rows[place] for place in places] for part, places in splitting.split_rows(rows, wanted, text).items()
    }


def test_groups_stay_whole_and_parts_are_large_enough() -> None:
    parts = split(grouped(), WANTED, "text")
    groups = {name: {member.group for member in members} for name, members in parts.items()}
    assert len(parts["test"]) >= 30 and len(parts["validation"]) >= 10
    assert not groups["test"] & groups["train"] and not groups["validation"] & (groups["train"] | groups["test"])
    assert sum(map(len, parts.values())) == 200


def test_the_order_of_rows_plays_no_part() -> None:
    shuffled = random.Random(1).sample(grouped(), 200)
    assert split(shuffled, WANTED, "text") == split(grouped(), WANTED, "text")


def test_the_hash_seed_plays_no_part() -> None:
    code = (
        "from factory.api import Provenance, Row\n"
        "from factory.data.split import split_rows\nfrom factory.spec.fields import Split\n"
        "rows = [Row(f'r{i}', {'t': str(i)}, Provenance('s'), f'g{i % 9}') for i in range(60)]\n"
        "print([rows[i].id for i in split_rows(rows, Split(test=9, validation=3), 't')['test']])"
    )
    def drawn(seed: str) -> str:
        run = [sys.executable, "-c", code]
        return subprocess.run(run, env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, text=True).stdout

    said = {drawn(seed) for seed in "012"}
    assert len(said) == 1 and "r" in said.pop()


def test_another_seed_draws_other_rows() -> None:
    drawn = [split(grouped(), Split(test=30, validation=10, seed=seed), "text")["test"] for seed in (1, 2)]
    assert drawn[0] != drawn[1]


def test_copies_without_a_group_never_straddle() -> None:
    rows = [row(number, text=f"Same text, {number // 2}!") for number in range(100)]
    parts = split(rows, WANTED, "text")
    texts = [{get_row_group(member, "text") for member in members} for members in parts.values()]
    assert not texts[0] & texts[1] and not texts[0] & texts[2] and not texts[1] & texts[2]


def test_a_row_keeps_the_split_it_brought() -> None:
    rows = [row(i, part=("train", "dev", "Test")[i % 3]) for i in range(30)]
    parts = split(rows, WANTED, "text")
    assert {name: {int(m.id[1:]) % 3 for m in members} for name, members in parts.items()} == {
        "train": {0}, "validation": {1}, "test": {2},
    }


def test_a_part_that_no_row_claims_is_drawn_from_training() -> None:
    rows = [row(i, part="train" if i < 60 else "test") for i in range(90)]
    parts = split(rows, WANTED, "text")
    assert [m.id for m in parts["test"]] == [f"r{i:03}" for i in range(60, 90)]
    assert len(parts["validation"]) == 10 and len(parts["train"]) == 50


def test_strata_keep_their_proportion() -> None:
    rows = [row(i, label="rare" if i % 5 == 0 else "common") for i in range(200)]
    drawn = split(rows, Split(test=50, validation=10, stratify="label"), "text")["test"]
    assert Counter(m["label"] for m in drawn) == {"common": 40, "rare": 10}


def test_an_unknown_split_names_the_row_and_its_line() -> None:
    with pytest.raises(InputError, match=r"^s:3: row 'r003' has an unknown split 'holdout'; known: dev, test"):
        split([row(3, part="holdout")], WANTED, "text")


def test_a_source_too_small_says_how_small_and_what_to_do() -> None:
    with pytest.raises(InputError) as caught:
        split(grouped(40, 8), WANTED, "text")
    assert str(caught.value) == (
        "the sources have 40 rows in 8 groups, too few for 30 test rows and 10 validation rows in whole groups "
        "with training rows left; lower data.split.test and data.split.validation, or add rows"
    )


def test_a_renewal_draws_test_rows_that_none_before_it_drew() -> None:
    drawn = [split(grouped(), Split(test=30, validation=10, renew=count), "text") for count in range(4)]
    tests = [{member.group for member in parts["test"]} for parts in drawn]
    assert len(set().union(*tests)) == sum(map(len, tests)) and all(len(parts["test"]) >= 30 for parts in drawn)
    assert [parts["validation"] for parts in drawn[1:]] == [drawn[0]["validation"]] * 3
    assert {member.id for member in drawn[0]["test"]} <= {member.id for member in drawn[3]["train"]}
    assert all(sum(map(len, parts.values())) == 200 for parts in drawn)


def test_a_renewal_needs_rows_and_test_rows_that_were_drawn() -> None:
    with pytest.raises(InputError, match=(
        r"too few for 30 test rows and 10 validation rows, and 30 for each renewal, in whole groups with training rows "
        r"left; lower data\.split\.test and data\.split\.validation and data\.split\.renew, or add rows"
    )):
        split(grouped(), Split(test=30, validation=10, renew=6), "text")
    own = [row(i, part="train" if i < 60 else "test") for i in range(90)]
    with pytest.raises(InputError, match="the sources bring test rows of their own"):
        split(own, Split(test=30, validation=10, renew=1), "text")


def count_parts(rows: list[Row], wanted: Split) -> dict[str, int]:
    return {part: len(members) for part, members in split(rows, wanted, "text").items()}


def test_without_counts_few_rows_are_shared_out_and_many_reach_the_limits() -> None:
    few, many = [row(i) for i in range(150)], [row(i) for i in range(2000)]
    assert count_parts(few, Split()) == {"train": 83, "validation": 22, "test": 45}
    assert count_parts(many, Split()) == {"train": 1600, "validation": 100, "test": 300}
    assert count_parts(few, Split(test=20)) == {"train": 108, "validation": 22, "test": 20}
    assert count_parts(few[:6], Split()) == {"train": 5, "validation": 0, "test": 1}


def test_rows_of_a_test_set_of_its_own_do_not_make_the_validation_larger() -> None:
    rows = [row(i, part="train" if i < 150 else "test") for i in range(650)]
    assert count_parts(rows, Split()) == {"train": 128, "validation": 22, "test": 500}
    assert count_parts(rows, Split(validation=100)) == {"train": 50, "validation": 100, "test": 500}


def test_what_went_where_is_said_of_few_rows_and_warned_of_where_little_is_left() -> None:
    counts = {"train": 83, "validation": 22, "test": 45}
    assert splitting.describe_small_split(counts, ("test", "validation"), Split()) == (
        "150 rows are few: 83 to train on, 45 to test on (auto: 30 %) and 22 for validation (auto: 15 %); "
        "data.split.test and data.split.validation may set other counts", False,
    )
    eaten = {"train": 50, "validation": 100, "test": 500}
    assert splitting.describe_small_split(eaten, ("validation",), Split(validation=100)) == (
        "only 50 of 150 rows are left to train on, after 100 for validation; lower data.split.validation, or add rows",
        True,
    )
    assert splitting.describe_small_split({**counts, "train": 2000}, ("test", "validation"), Split()) == ("", False)
    assert splitting.describe_small_split(counts, ("test", "validation"), Split(test=45, validation=22))[0] == ""
    assert splitting.describe_small_split(eaten, (), Split()) == ("", False)


def test_a_count_keeps_the_key_that_it_had() -> None:
    stated = Split(test=30, validation=10)
    others = {"stratify": "", "seed": 7, "renew": 0}
    assert stated.model_dump(mode="json") == {"test": 30, "validation": 10, **others}
    assert Split().model_dump(mode="json") == {"test": "auto", "validation": "auto", **others}


def test_labels_of_sets_keep_their_proportion_though_whole_sets_are_rare() -> None:
    """Iterative stratification: nearly every set is unlike the others, so that sets can not be strata."""
    draw, names = random.Random(2), {f"label {n}": share for n, share in enumerate((0.5, 0.3, 0.2, 0.1, 0.05))}
    rows = [row(i, label=[name for name, share in names.items() if draw.random() < share]) for i in range(600)]
    wanted, whole = Split(test=120, validation=60, stratify="label"), Counter(n for m in rows for n in m["label"])
    parts = split(rows, wanted, "text")
    assert [len(parts[name]) for name in ("test", "validation", "train")] == [120, 60, 420]
    for name, size in (("test", 120), ("validation", 60)):
        found = Counter(label for member in parts[name] for label in member["label"])
        assert all(abs(found[label] - whole[label] * size / 600) <= 2 for label in names)
    shuffled = random.Random(3).sample(rows, len(rows))
    assert split(shuffled, wanted, "text") == parts


def test_groups_of_sets_stay_whole() -> None:
    rows = [row(i, f"g{i % 50}", label=["a", "b"][: i % 3]) for i in range(200)]
    parts = split(rows, Split(test=40, validation=20, stratify="label"), "text")
    groups = {name: {member.group for member in members} for name, members in parts.items()}
    assert not groups["test"] & (groups["train"] | groups["validation"]) and len(parts["test"]) in range(40, 44)
    with pytest.raises(InputError, match="the sources have 30 rows in 30 groups, too few"):
        split([row(i, label=["a"]) for i in range(30)], Split(test=25, validation=10, stratify="label"), "text")


def test_a_group_larger_than_a_part_stays_in_training_where_smaller_ones_suffice() -> None:
    rows = [*(row(n, "big", label="ab"[n % 2]) for n in range(60)), *(row(n, label="c") for n in range(60, 90))]
    sizes = {part: len(members) for part, members in
             split(rows, Split(test=10, validation=5, stratify="label"), "text").items()}
    assert sizes == {"train": 75, "validation": 5, "test": 10}
    sets = [row(int(member.id[1:]), member.group, label=[member["label"]]) for member in rows]
    parts = split(sets, Split(test=10, validation=5, stratify="label"), "text")
    assert {part: len(members) for part, members in parts.items()} == sizes


def test_of_groups_that_are_all_too_large_the_smallest_are_taken() -> None:
    rows = [row(n, "huge" if n < 60 else f"g{n // 20}") for n in range(140)]
    parts = split(rows, Split(test=10, validation=0), "text")
    assert len(parts["test"]) == 20 and {member.group for member in parts["train"]} >= {"huge"}


def test_the_last_group_of_a_label_stays_in_training() -> None:
    rows = [*(row(n, label="common") for n in range(40)), *(row(n, f"g{n}", label=f"rare {n}") for n in range(40, 60))]
    parts = split(rows, Split(test=12, validation=6, stratify="label"), "text")
    assert {len(parts["test"]), len(parts["validation"])} == {12, 6}
    assert {member["label"] for member in parts["train"]} == {"common", *(f"rare {n}" for n in range(40, 60))}


def test_labels_of_one_group_each_are_drawn_where_there_is_nothing_else() -> None:
    rows = [row(n, label=f"label {n}") for n in range(30)]
    sizes = split(rows, Split(test=10, validation=5, stratify="label"), "text")
    assert {part: len(members) for part, members in sizes.items()} == {"train": 15, "validation": 5, "test": 10}
