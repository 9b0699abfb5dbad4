"""Labels are compared in one way everywhere, and labels that are nearly equal are named with both spellings."""

import json
from pathlib import Path
from typing import Any

import pytest
from curator_parts import asked, decided, rows_of
from tiny_parts import Voice

from factory.api import Provenance, Row, RowsJob, normalise_label
from factory.data.split import split_rows
from factory.errors import InputError
from factory.spec.fields import Split
from factory.text.labels import find_label_spellings
from factory_classify.multi_label_task import MultiLabelClassifier
from factory_classify.task import Classifier
from factory_contenders.endpoint_backend import match_choice
from factory_curators.balance import Balance
from factory_curators.conflicts import Conflicts
from factory_curators.exact_duplicates import ExactDuplicates


def prepared(task: Classifier, *labels: Any) -> list[Any]:
    """The labels of rows after the task's preparation."""
    rows = [Row(f"r{n}", {"text": f"text {n}", "label": label}, Provenance("d.jsonl", n + 1))
            for n, label in enumerate(labels)]
    return [row["label"] for row in task.prepare(RowsJob(7, Voice(), Path(), rows=rows, task=task))]


@pytest.mark.parametrize(("label", "compared"), [
    ("billing", "billing"), (" billing", "billing"), ("bill  ing\t", "bill ing"), ("a\u00a0b", "a b"),
    ("cafe\u0301", "café"), (True, "true"), (False, "false"), (1, "1"), (1.0, "1"), (-2.0, "-2"), (0.5, "0.5"),
    ("1.0", "1.0"), ("BILLING", "BILLING"), ("C++", "C++"),
])
def test_a_label_has_one_form(label: Any, compared: str) -> None:
    assert normalise_label(label) == compared and prepared(Classifier(), label) == [compared]
    assert Classifier().render_target(rows_of("x", label=[label])[0]) == compared
    assert prepared(MultiLabelClassifier(multi_label=True), [label, compared]) == [[compared]]


@pytest.mark.parametrize(("one", "other"), [
    ("billing", "Billing"), ("billing", "BILLING"), ("late-delivery", "late_delivery"), ("bill\u200bing", "billing"),
    ("\ufeffbilling", "billing"), ("1", "1.0"), ("true", "True"), ("ﬁne", "fine"), ("❤\ufe0f", "❤"),
    ("Straße", "STRASSE"),
])
def test_labels_that_are_nearly_equal_are_named_with_their_rows(one: str, other: str) -> None:
    (found,) = find_label_spellings({one: 30, "else": 9, other: 2})
    assert (found.label, found.rows, found.other, found.other_rows) == (other, 2, one, 30)


@pytest.mark.parametrize(("one", "other", "said"), [
    ("billing", "Billing", "label 'Billing' (1) is nearly equal to 'billing' (30 rows)"),
    ("bill\u200bing", "billing", r"label 'billing' (1) is nearly equal to 'bill\u200bing' (30 rows)"),
    ("❤", "❤\ufe0f", r"label '\u2764\ufe0f' (1) is nearly equal to '\u2764' (30 rows)"),
])
def test_both_spellings_are_quoted_so_that_they_differ_on_a_screen(one: str, other: str, said: str) -> None:
    assert [found.describe() for found in find_label_spellings({one: 30, other: 1})] == [said]


def test_labels_that_mean_something_else_are_left_alone() -> None:
    labels = ["C", "C++", "C#", "-1", "1", "8.1", "8.10", "A01.1", "A01", "+", "-", "3,5", "3.5", "a", "b"]
    assert find_label_spellings(dict.fromkeys(labels, 5)) == []


def test_curators_tell_labels_apart_as_the_task_does() -> None:
    rows = rows_of("Lost card", "lost card!", "LOST CARD", label=["art", "Art", "art"])
    exact = decided(ExactDuplicates(text_columns=("text", "label")), rows)
    assert {name: each.twin for name, each in exact.items()} == {"r0": "", "r1": "", "r2": "r0"}
    assert not any(each.kept for each in decided(Conflicts(), rows).values())
    spaced = rows_of("a", "b", "c", label=["art", " art", "art "])
    assert sum(each.kept for each in Balance(count=1).curate(asked(spaced))) == 1
    assert match_choice("art", ["Art", "art"]) == 1


def test_strata_are_labels_and_not_spellings() -> None:
    labels = [True, "true", False, "false"]
    rows = [Row(f"r{n}", {"text": f"t{n}", "label": labels[n % 4]}, Provenance("s", n)) for n in range(40)]
    parts = split_rows(rows, Split(test=10, validation=4, stratify="label"), "text")
    counts = [sum(normalise_label(rows[place]["label"]) == "true" for place in parts[part])
              for part in ("test", "validation")]
    assert counts == [5, 2]


def test_a_label_of_parts_is_refused_with_its_line() -> None:
    with pytest.raises(InputError, match=r"^d\.jsonl:2: the label of row 'r1' is a list; set `task:"):
        prepared(Classifier(), "fine", ["billing"])
    with pytest.raises(InputError, match=r"^d\.jsonl:1: the label of row 'r0' is an object; map a field"):
        prepared(Classifier(), json.loads('{"name": "billing"}'))
