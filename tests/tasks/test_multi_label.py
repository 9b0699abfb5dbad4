"""Several labels a row as data: what rows may be, what is shown, the baselines, and the numbers of scikit-learn."""

from dataclasses import replace

import numpy as np
import pytest
from classify_parts import rows as single_rows
from multi_label_parts import LABELS, ask, row, rows, scored, task

from factory.api import Answer, Contender, RowsJob
from factory.api.label_sets import build_certain_output, find_label_set_problem, list_given_labels, list_row_labels
from factory.errors import InputError
from factory.registry.registry import load_installed_registry
from factory_classify.embedding_baselines import Centroid, Knn, Linear
from factory_classify.lexical_baselines import Majority, TfIdf
from factory_classify.multi_label_metrics import MultiLabelMetrics
from factory_classify.multi_label_task import MultiLabelClassifier, build_membership
from factory_classify.task import Classifier


def rows_job(*mine: object) -> RowsJob:
    return RowsJob(7, ask().report, ask().root, rows=mine)  # type: ignore[arg-type]


def test_the_field_chooses_the_class_and_keeps_the_kind() -> None:
    registry = load_installed_registry()
    several = registry.make_plugin("task", {"kind": "classifier", "multi_label": True})
    assert type(several) is MultiLabelClassifier and several.kind == "classifier"
    assert several.to_block()["multi_label"] is True
    one = registry.make_plugin("task", {"kind": "classifier"})
    assert type(one) is Classifier and "multi_label" not in one.compute_identity(ask().root)["fields"]
    with pytest.raises(InputError, match="abstain_below is for one label a row"):
        registry.make_plugin("task", {"kind": "classifier", "multi_label": True, "abstain_below": 0.5})


def test_rows_and_field_that_disagree_are_said_in_one_line() -> None:
    with pytest.raises(InputError, match=r"^rows.jsonl:3: the label of row 'r' is a list; set `task: \{kind: classif"):
        list(Classifier().prepare(rows_job(row("lost", "card"))))
    text = row("lost").with_columns(label="card")
    with pytest.raises(InputError, match=r"^rows.jsonl:3: the label of row 'r' is one text, and the task has"):
        list(task().prepare(rows_job(text)))
    with pytest.raises(InputError, match="is one text, and the task has"):  # as a synthesizer may have made it
        task().list_choices([text])
    with pytest.raises(InputError, match="holds ' '; a label is a text that is not empty"):
        list(task().prepare(rows_job(row("lost", "card", " "))))
    assert len(list(Classifier().prepare(rows_job(*single_rows(3))))) == 3


def test_order_repeats_and_unicode_forms_of_labels_do_not_count() -> None:
    (kept,) = task().prepare(rows_job(row("x", "e\u0301te\u0301", "b", "b", "\u00e9t\u00e9")))
    assert kept["label"] == ["b", "été"] and task().render_target(kept) == '["b", "été"]'
    assert list_row_labels(task(), kept) == ("b", "été")


def test_the_audit_names_conflicting_sets_and_rare_labels() -> None:
    mine = [row("Lost card!", "a", name="1"), row("lost card", "a", "b", name="2"), row(" ", "a", name="3")]
    found = list(task(min_label_rows=2).audit(rows_job(*mine)))
    assert [(each.check, each.row) for each in found] == [
        ("conflicting_answers", "1"), ("conflicting_answers", "2"), ("rare_label", "2"), ("empty", "3"),
    ]
    assert found[0].text == "'Lost card!' has the labels [\"a\"] here and [\"a\", \"b\"] elsewhere"
    assert found[2].text == "label 'b' has fewer than 2 training rows: 1"


def test_a_row_is_shown_answered_and_sliced_by_each_label() -> None:
    answer = Answer("r", {"a": [0.91, 0.4], "b": [0.2, 0.4], "c": [0.5, 0.5]})
    assert list_given_labels(answer.output) == ("a", "c")
    shown = task().describe_row(row("lost it", "a", "b", "new"), {}, answer)
    assert shown == "lost it\n  *a 0.91, c 0.50, missing: *b 0.20, *new"
    assert task().describe_row(row("thanks"), {}, Answer("r", {"a": [0.1, 0.4]})) == "thanks\n  no label"
    assert task().format_answer(row("lost it"), {}, answer) == "a 0.91, c 0.50"
    none = Answer("r", {"a": [0.1, 0.4], "b": [0.35, 0.5]})
    assert task().format_answer(row("x"), {}, none) == "no label; the nearest, b, has 0.35 of the 0.50 that it needs"
    assert task().get_row_slices(row("lost it", "a", "b")) == {
        "labels": "2", "length": "1 to 5 words", "script": "latin", "has a": "yes", "has b": "yes",
    }


@pytest.mark.parametrize("output, problem", [
    ({"a": [0.5, 0.5]}, ""), ({}, ""), ({"a": 0.5}, "'a' has 0.5, not [probability, threshold]"),
    ({"a": [float("nan"), 0.5]}, "'a' has nan, not a finite number"),
    ({"a": [1.5, 0.5]}, "the probability of 'a' is 1.5, not between 0 and 1"),
    ("a", "expected a mapping of label to [probability, threshold]"),
])
def test_what_is_no_set_of_labels_is_refused(output: object, problem: str) -> None:
    assert find_label_set_problem(output) == problem


@pytest.mark.parametrize("contender", [Centroid(), Knn(), Linear(), TfIdf()], ids=lambda each: each.kind)
def test_every_baseline_gives_sets_that_beat_the_most_frequent_one(contender: Contender) -> None:
    job = ask()
    f1 = {}
    for each in (contender, Majority()):
        answers = {answer.id: answer for answer in each.answer(job)}
        scores = MultiLabelMetrics().score(scored([answers[r.id].output for r in job.rows],
                                                  [r["label"] for r in job.rows]))
        f1[each.kind] = np.mean([score.values["example_f1"] for score in scores])
    assert f1[contender.kind] > 0.7 > 0.5 > f1["majority"]
    # Regression is cross-validated: it has left out each of the 120 training and 60 validation rows.
    assert job.facts["thresholds"]["rows"] == (180 if contender.kind == "linear" else 60)
    assert job.facts["thresholds"]["own"] >= 1


def test_the_most_frequent_set_is_given_to_every_row_even_if_it_is_empty() -> None:
    train = [row("a", "x", name="1"), row("b", "x", "y", name="2"), row("c", "x", "y", name="3"), row("d", name="4")]
    outputs = [answer.output for answer in Majority().answer(ask(train=train))]
    assert outputs[0] == {"x": [0.75, 0.0], "y": [0.5, 0.0]} and len(outputs) == 30
    empty = [row("a", "x", name="1"), row("b", name="2"), row("c", name="3")]
    assert list_given_labels(next(Majority().answer(ask(train=empty))).output) == ()


def test_baselines_do_without_validation_rows_and_with_a_label_of_every_row() -> None:
    every = [replace(each, columns={**each.columns, "label": [*each["label"], "all"]}) for each in rows(60)]
    for contender in (Centroid(), Knn(), Linear(), TfIdf()):
        job = ask(train=every, validation=[])
        answers = list(contender.answer(job))
        assert len(answers) == 30 and set(answers[0].output) == {*LABELS, "all"}
        if contender.kind != "linear":  # which chooses by cross-validation
            assert {threshold for _, threshold in answers[0].output.values()} == {0.5}


def test_row_metrics_and_totals_are_those_of_scikit_learn() -> None:
    from sklearn import metrics

    draw, names = np.random.default_rng(2), ["a", "b", "c", "d"]
    right, given = draw.random((80, 4)) < 0.35, draw.random((80, 4)) < 0.4
    assert (~right.any(axis=1) & ~given.any(axis=1)).any()  # both sets empty
    sets = [[name for name, has in zip(names, line, strict=True) if has] for line in right]
    outputs = [build_certain_output(names, [n for n, has in zip(names, line, strict=True) if has]) for line in given]
    job = scored(outputs, sets)
    values = [score.values for score in MultiLabelMetrics().score(job)]
    mean = {name: np.mean([each[name] for each in values]) for name in values[0]}
    # A row without a label, to which none is given, counts as right.
    assert mean["example_f1"] == pytest.approx(metrics.f1_score(right, given, average="samples", zero_division=1.0))
    both_empty = ~right.any(axis=1) & ~given.any(axis=1)
    jaccard = metrics.jaccard_score(right[~both_empty], given[~both_empty], average="samples") * (~both_empty).mean()
    assert mean["jaccard"] == pytest.approx(jaccard + both_empty.mean())
    assert mean["subset_accuracy"] == pytest.approx(metrics.accuracy_score(right, given))
    assert mean["brier"] == pytest.approx(metrics.hamming_loss(right, given))  # of certain answers
    totals = MultiLabelMetrics().compute_totals(job)
    assert totals["micro_f1"] == pytest.approx(metrics.f1_score(right, given, average="micro"))
    assert totals["macro_f1"] == pytest.approx(metrics.f1_score(right, given, average="macro"))
    for name in ("micro_f1", "macro_f1"):
        counts = MultiLabelMetrics().list_total_counts(name, job)
        assert MultiLabelMetrics().compute_total_from_counts(name, counts.sum(axis=0)[None])[0] == totals[name]


def test_a_resample_of_counts_is_the_total_of_the_resampled_rows() -> None:
    draw, names = np.random.default_rng(5), ["a", "b", "c", "d", "e"]
    sets = [[name for name in names[:4] if draw.random() < 0.3] for _ in range(12)]
    outputs = [build_certain_output(names, [name for name in names if draw.random() < 0.3]) for _ in sets]
    job, times = scored(outputs, sets), np.array([2, 0, 3, 1, 1, 1, 1, 1, 1, 1, 0, 0])
    drawn = replace(job, rows=[row for row, n in zip(job.rows, times, strict=True) for _ in range(n)])
    for name in ("micro_f1", "macro_f1"):
        counts = MultiLabelMetrics().list_total_counts(name, job)
        (found,) = MultiLabelMetrics().compute_total_from_counts(name, (times @ counts)[None])
        assert found == pytest.approx(MultiLabelMetrics().compute_totals(drawn)[name])


def test_empty_sets_count_as_said() -> None:
    job = scored([{"a": [0.1, 0.5]}, {"a": [0.9, 0.5]}, {"a": [0.1, 0.5]}], [[], [], ["a"]])
    values = [score.values for score in MultiLabelMetrics().score(job)]
    assert [each["example_f1"] for each in values] == [1.0, 0.0, 0.0]
    assert [each["jaccard"] for each in values] == [1.0, 0.0, 0.0]
    nothing = scored([{"a": [0.1, 0.5]}], [[]])
    totals = MultiLabelMetrics().compute_totals(nothing)
    assert totals["micro_f1"] == totals["macro_f1"] == 1.0
    counts = MultiLabelMetrics().list_total_counts("macro_f1", nothing)
    assert MultiLabelMetrics().compute_total_from_counts("macro_f1", counts) == [1.0]


def test_tables_name_each_label_and_what_was_mistaken_for_what() -> None:
    job = scored([{"a": [0.2, 0.5], "b": [0.9, 0.5]}] * 2 + [{"a": [0.9, 0.5], "b": [0.1, 0.5]}], [["a"], ["a"], []])
    tables = MultiLabelMetrics().build_tables(job)
    assert tables["mistaken_pairs"] == [
        {"missed": "a", "given": "b", "n": 2}, {"missed": "", "given": "a", "n": 1},
    ]
    assert tables["per_label"][0] == {"label": "a", "precision": 0.0, "recall": 0.0, "f1": 0.0, "n": 2, "given": 1}
    assert sum(line["n"] for line in tables["reliability"]) == 6


def test_the_membership_of_rows_leaves_unknown_labels_out() -> None:
    assert build_membership(task(), [row("x", "a", "new"), row("y")], ["a", "b"]).tolist() == [
        [True, False], [False, False],
    ]
