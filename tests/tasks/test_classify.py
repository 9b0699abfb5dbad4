"""The classifier as data: what it audits, shows and says, its baselines, and its numbers against scikit-learn's."""

import math
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from classify_parts import WORDS, ask, rows, scored
from tiny_parts import Voice

from factory.api import Answer, Contender, Provenance, Row, RowsJob
from factory_classify.calibration import compute_nll, fit_temperature
from factory_classify.classification_metrics import ClassificationMetrics
from factory_classify.embedding_baselines import Centroid, Knn, Linear
from factory_classify.label_answers import pick_best_label
from factory_classify.labelled_vectors import LabelledVectors
from factory_classify.lexical_baselines import Majority, TfIdf
from factory_classify.task import Classifier, name_dominant_script
from factory_curators.balance import Balance

HERE = Provenance("here")


def row(text: str, label: str, name: str = "r") -> Row:
    return Row(name, {"text": text, "label": label}, HERE)


def test_the_audit_names_conflicts_empty_texts_and_rare_labels() -> None:
    mine = [row("Lost card!", "card", "a"), row("lost card", "money", "b"), row(" ", "card", "c")]
    job = ask()
    found = list(Classifier(min_label_rows=2).audit(RowsJob(7, job.report, job.root, rows=mine)))
    assert [(each.check, each.row) for each in found] == [
        ("conflicting_answers", "a"), ("conflicting_answers", "b"), ("rare_label", "b"), ("empty", "c"),
    ]
    assert found[0].text == "'Lost card!' is 'card' here and 'money' elsewhere"


def test_a_row_is_shown_asked_and_answered_in_words() -> None:
    task, answer = Classifier(abstain_below=0.6), Answer("r", {"card": 0.55, "money": 0.45})
    assert task.describe_row(row("lost it", "money"), {}, answer) == "lost it\n  card 0.55, right: *money"
    assert task.format_answer(
        task.build_query_row({"query": "hm"}), {}, answer
    ) == "abstains: the best label, card, has 0.55, below 0.6\nthen money 0.45"
    assert Classifier().format_answer(row("x", ""), {}, answer) == "card 0.55\nthen money 0.45"
    sure = Answer("r", {"card": 0.995, "money": 0.005})
    assert Classifier().format_answer(row("x", ""), {}, sure) == "card 0.99"
    assert [message.content for message in task.render_messages(row("lost it", ""))][-1] == "lost it"


def test_an_answer_abstains_below_the_threshold_that_training_found_unless_the_spec_has_one() -> None:
    answer = Answer("r", {"card": 0.55, "money": 0.45}, details={"abstain_below": 0.7})
    assert Classifier().format_answer(row("x", ""), {}, answer).startswith("abstains: ")
    assert Classifier(abstain_below=0.5).format_answer(row("x", ""), {}, answer).startswith("card 0.55")
    assert Classifier(abstain_below=0).format_answer(row("x", ""), {}, answer).startswith("card 0.55")


def test_slices_say_length_and_script_also_of_arabic() -> None:
    assert Classifier().get_row_slices(row("هل ترى أن هذا صحيح ok", "NEU")) == {
        "label": "NEU", "length": "6 to 12 words", "script": "arabic",
    }
    assert [
        name_dominant_script(text) for text in ("Kinking of ureter", "привет", "12 + 3")
    ] == ["latin", "cyrillic", "none"]


@pytest.mark.parametrize("contender", [Centroid(), Knn(), Linear(), TfIdf(), Knn(neighbours=[500])])
def test_every_baseline_that_learns_beats_the_majority(contender: Contender) -> None:
    job = ask()
    truth = {each.id: each["label"] for each in job.rows}
    answers = list(contender.answer(job))
    assert all(math.isclose(sum(answer.output.values()), 1, abs_tol=1e-5) for answer in answers)
    assert sum(pick_best_label(answer)[0] == truth[answer.id] for answer in answers) > 20
    assert sum(pick_best_label(answer)[0] == truth[answer.id] for answer in Majority().answer(job)) <= 10


def test_labels_that_only_validation_has_do_not_stop_a_baseline() -> None:
    job = ask()
    strange = replace(job, validation=[*job.validation, row("card", "new", "v")])
    assert all(set(answer.output) == {row["label"] for row in job.train} for answer in TfIdf().answer(strange))
    without = replace(job, validation=[])
    assert [len(list(each.answer(without))) for each in (TfIdf(), Knn(), Centroid(), Linear())] == [30] * 4


def test_the_linear_baseline_is_what_ten_lines_of_scikit_learn_do() -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV, StratifiedKFold

    draw = np.random.default_rng(3)
    owners = np.repeat(np.arange(4), 15)
    train, test = (draw.normal(size=(60, 8)).astype(np.float32) + np.eye(4, 8)[owners] for _ in range(2))
    search = GridSearchCV(
        LogisticRegression(max_iter=3000), {"C": [0.01, 0.3, 3.0]}, cv=StratifiedKFold(5, shuffle=True, random_state=7)
    ).fit(train, owners)
    none = LabelledVectors(test[:0], owners[:0])
    scorer, _, facts = Linear(c=[0.01, 0.3, 3.0]).fit_scorer(LabelledVectors(train, owners), none)
    assert facts["c"] == search.best_params_["C"]
    assert facts["cross_validated"][f"{facts['c']:g}"] == pytest.approx(search.best_score_, abs=1e-4)
    assert (scorer(test).argmax(axis=1) == search.predict(test)).all()


def test_a_linear_baseline_of_one_label_or_one_row_each_has_nothing_to_choose() -> None:
    vectors = np.eye(3, 5, dtype=np.float32)
    none = LabelledVectors(vectors[:0], np.zeros(0, dtype=np.int64))
    alone, _, facts = Linear().fit_scorer(LabelledVectors(vectors, np.zeros(3, dtype=np.int64)), none)
    assert alone(vectors).shape == (3, 1) and facts["cross_validated"] == {}
    three, temperature, facts = Linear().fit_scorer(LabelledVectors(vectors, np.arange(3)), none)
    assert temperature == 1.0
    assert three(vectors).argmax(axis=1).tolist() == [0, 1, 2] and facts == {"c": 10.0, "cross_validated": {}}


def test_the_numbers_are_those_of_scikit_learn() -> None:
    from sklearn.metrics import accuracy_score, f1_score, log_loss, precision_recall_fscore_support

    draw, labels = np.random.default_rng(0), ["a", "b", "c"]
    shares = np.round(draw.dirichlet([1, 1, 1], 60), 6)
    right = [labels[i] for i in draw.integers(0, 3, 60)]
    said = [labels[i] for i in shares.argmax(axis=1)]
    job = scored([dict(zip(labels, each, strict=True)) for each in shares.tolist()], right)
    values = [one.values for one in ClassificationMetrics().score(job)]
    onehot = np.array([[label == one for label in labels] for one in right], dtype=float)
    assert np.mean([one["accuracy"] for one in values]) == pytest.approx(accuracy_score(right, said))
    assert np.mean([one["nll"] for one in values]) == pytest.approx(log_loss(right, shares, labels=labels), abs=1e-4)
    assert np.mean([one["brier"] for one in values]) == pytest.approx(((shares - onehot) ** 2).sum(axis=1).mean())
    assert ClassificationMetrics().compute_totals(job)["macro_f1"] == pytest.approx(
        f1_score(right, said, average="macro")
    )
    table = ClassificationMetrics().build_tables(job)["per_class"]
    theirs = np.array(precision_recall_fscore_support(right, said, labels=labels)[:3]).T
    assert np.allclose([[one["precision"], one["recall"], one["f1"]] for one in table], theirs, atol=1e-4)


def test_an_answer_that_is_missing_or_sums_to_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'r0': the label probabilities sum to 0\.500, not 1"):
        list(ClassificationMetrics().score(scored([{"a": 0.5}], ["a"])))


def test_a_label_that_training_lacks_counts_as_wrong_and_is_told() -> None:
    job = scored([{"a": 0.9, "b": 0.1}] * 2, ["a", "z"])
    found = replace(job, train=job.rows[:1])
    assert [one.values["accuracy"] for one in ClassificationMetrics().score(found)] == [1.0, 0.0]
    assert ClassificationMetrics().compute_totals(found)["unseen"] == 0.5
    assert ClassificationMetrics().build_tables(found)["confusions"] == [{"label": "z", "said": "a", "n": 1}]


def test_a_temperature_lowers_the_likelihoods_loss_and_keeps_the_order() -> None:
    draw = np.random.default_rng(1)
    logits, right = draw.normal(size=(300, 4)) * 6, draw.integers(0, 4, 300)
    logits[np.arange(300), right] += 5
    temperature = fit_temperature(logits, right)
    assert temperature > 1 and compute_nll(logits / temperature, right) < compute_nll(logits, right)
    assert all(compute_nll(logits / other, right) >= compute_nll(logits / temperature, right) - 1e-6
               for other in (temperature * 0.9, temperature * 1.1))


def test_labels_of_all_scripts_keep_their_form() -> None:
    assert Classifier().list_choices(rows(9)) == ("card", "money_transfer", "طقس")


def test_balance_keeps_so_many_rows_of_each_label() -> None:
    job = RowsJob(7, Voice(), Path(), rows=rows(60))
    decisions = list(Balance(count=4).curate(job))
    kept = {decision.id for decision in decisions if decision.kept}
    assert Counter(row["label"] for row in job.rows if row.id in kept) == dict.fromkeys(WORDS, 4)
    assert decisions == list(Balance(count=4).curate(job))
