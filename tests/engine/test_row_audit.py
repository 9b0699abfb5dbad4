"""Frozen rows are audited like training rows: what makes a verdict worthless stops a build before it trains."""

from pathlib import Path
from typing import Any

import pytest
from classify_parts import HERE
from tiny_parts import Voice

from factory.api import Row
from factory.data.rows import read_json, read_rows, write_json, write_rows
from factory.errors import InputError
from factory.registry.registry import load_installed_registry
from factory.stages import audit, freeze
from factory.stages.job import StageJob

LIMITS = {
    "empty": 0.0, "missing": 0.0, "conflicting_answers": 0.02, "rare_label": 1.0, "label_spelling": 0.0,
    "unseen_label": 0.5,
}


def labelled(part: str, *pairs: tuple[str, str]) -> list[Row]:
    return [Row(f"{part}{n}", {"text": text, "label": each}, HERE, split=part) for n, (text, each) in enumerate(pairs)]


def job(folder: Path, **config: Any) -> StageJob:
    (folder / "out").mkdir(exist_ok=True)
    inputs = {role: folder / role for role in ("base", "gather", "prepare", "freeze", "curate")}
    return StageJob(
        "stage", {"seed": 7, "task": {"kind": "classifier"}, "limits": LIMITS, **config}, inputs, folder / "out",
        folder, folder, folder, Voice(), load_installed_registry(),
    )


def audited(folder: Path, train: list[Row], test: list[Row], validation: list[Row], **config: Any) -> dict[str, Any]:
    """The audit of these rows."""
    write_json(folder / "base" / "base.json", dict.fromkeys(("id", "revision", "digest", "licence"), "tiny"))
    write_rows(folder / "curate" / "train.jsonl", train)
    write_rows(folder / "freeze" / "test.jsonl", test)
    write_rows(folder / "freeze" / "validation.jsonl", validation)
    work = job(folder, **config)
    audit.run(work)
    return read_json(work.out / "audit.json")


TRAIN = labelled("train", *[(f"text {n} {label}", label) for n in range(10) for label in ("art", "law")])
GOOD = labelled("test", ("a new text", "art"), ("another one", "law"))
DEV = labelled("dev", ("a third", "art"))


def test_clean_rows_pass(tmp_path: Path) -> None:
    assert audited(tmp_path, TRAIN, GOOD, DEV) == {
        "rows": {"train": 20, "test": 2, "validation": 1}, "checks": [], "failure": "",
    }


def test_test_rows_without_a_label_or_a_text_stop_a_build(tmp_path: Path) -> None:
    test = labelled("test", ("a new text", " "), ("another one", "law"), ("\u200b", "art"))
    found = audited(tmp_path, TRAIN, test, DEV)
    assert found["failure"] == (
        "empty: 2 of 3 test rows, such as test0: label is empty; fix the rows, or raise data.preflight.empty above 0"
    )
    (check,) = found["checks"]
    assert (check["check"], check["rows"], check["share"], check["passed"]) == ("empty (test)", 2, 0.666667, False)
    assert [example["row"] for example in check["examples"]] == ["test0", "test2"]
    assert audited(tmp_path, TRAIN, test, DEV, limits={**LIMITS, "empty": 0.7})["failure"] == ""


def test_labels_that_no_training_row_has_are_counted_and_stop_a_build_if_they_are_most(tmp_path: Path) -> None:
    few = audited(tmp_path, TRAIN, [*GOOD, *labelled("new", ("a", "sport"))], DEV)
    (check,) = few["checks"]
    assert (check["check"], check["rows"], few["failure"]) == ("unseen_label (test)", 1, "")
    most = audited(tmp_path, TRAIN, labelled("test", ("a", "sport"), ("b", "news"), ("c", "art")), DEV)
    assert most["failure"] == (
        "unseen_label: 2 of 3 test rows, such as test0: no training row has the label 'sport'; add training rows of "
        "these labels, or remove the rows, or raise data.preflight.unseen_label above 0.5"
    )


def test_a_label_in_two_spellings_is_one_finding_over_all_parts(tmp_path: Path) -> None:
    train = [*TRAIN, *labelled("odd", ("x", "Art"), ("y", "ART"))]
    found = audited(tmp_path, train, [*GOOD, *labelled("new", ("z", "Law"))], DEV)
    assert found["failure"].startswith("label_spelling: 3 of 26 training, validation and test rows, such as odd0: ")
    for said in ("label 'Art' (1) is nearly equal to 'art' (12 rows)", "label 'ART' (1) is nearly equal to 'art'",
                 "label 'Law' (1) is nearly equal to 'law' (11 rows)", "; write each label in one way, or raise "):
        assert said in found["failure"]
    assert audited(tmp_path, train, GOOD, DEV, limits={**LIMITS, "label_spelling": 0.2})["failure"] == ""


def test_labels_that_only_differ_in_white_space_are_one_label(tmp_path: Path) -> None:
    assert audited(tmp_path, [*TRAIN, *labelled("odd", ("x", " art"), ("y", "art "))], GOOD, DEV)["failure"] == ""


def test_one_label_is_none_to_learn(tmp_path: Path) -> None:
    found = audited(tmp_path, labelled("train", ("a", "art"), ("b", "art")), labelled("test", ("c", "art")), [])
    assert found["failure"] == (
        "the training rows have one label, 'art'; a classifier needs at least 2: add rows of another one"
    )


def frozen(folder: Path, rows: list[Row], **split: Any) -> tuple[StageJob, dict[str, Any]]:
    """The job of freezing these rows, and its facts."""
    write_rows(folder / "prepare" / "rows.jsonl", rows)
    work = job(folder, split=split, text="text")
    freeze.run(work)
    return work, read_json(work.out / "freeze.json")


def test_validation_rows_that_are_test_rows_leave_validation(tmp_path: Path) -> None:
    pairs = [(f"text {n}", "art") for n in range(6)]
    dev = labelled("dev", *[(f"Text\u00ad {n}!", "art") for n in range(2)], ("something else", "law"))
    work, facts = frozen(tmp_path, [*TRAIN, *labelled("test", *pairs), *dev])
    assert facts["counts"] == {"train": 20, "validation": 1, "test": 6} and facts["repeated"] == 2
    assert [row.id for row in read_rows(work.out / "validation.jsonl")] == ["dev2"]
    assert work.report.notes[-1] == (
        "2 of 3 validation rows have the text or group of a test row, such as dev0: test row test0 (parts); they are "
        "left out of validation"
    )


def test_a_validation_set_that_is_the_test_set_is_refused(tmp_path: Path) -> None:
    same = [("one text", "art"), ("another text", "law")]
    with pytest.raises(InputError, match=r"^2 of 2 validation rows have the text or group of a test row, such as dev0"):
        frozen(tmp_path, [*TRAIN, *labelled("test", *same), *labelled("dev", *same)])


def test_copies_in_the_test_set_are_said(tmp_path: Path) -> None:
    work, facts = frozen(tmp_path, [*TRAIN, *labelled("test", *[(f"text {n % 3}", "art") for n in range(9)]), *DEV])
    assert facts["groups"]["test"] == 3 and facts["counts"]["test"] == 9
    assert work.report.notes[-1] == (
        "9 test rows have 3 different texts or groups: copies of a text count as one, in intervals and in the verdict"
    )


def test_a_part_of_many_times_the_rows_that_were_asked_for_is_said(tmp_path: Path) -> None:
    rows = [Row(f"r{n}", {"text": f"text {n}"}, HERE, f"g{n // 30}") for n in range(300)]
    work, facts = frozen(tmp_path, rows, test=10, validation=0)
    assert facts["counts"]["test"] == 30
    assert work.report.notes[-1] == (
        "30 rows to test on, 3.0 times the 10 of data.split.test: groups stay whole, and the largest of them has 30 "
        "rows; split up large groups, or add small ones"
    )
