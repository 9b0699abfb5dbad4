"""One-vs-rest regression, calibration and thresholds, against scikit-learn and by hand."""

import os
import subprocess
import sys

import numpy as np
import pytest

from factory_classify.label_decisions import (
    SigmoidCalibration,
    choose_label_thresholds,
    choose_sigmoid_calibration,
    compute_log_losses,
)
from factory_classify.one_vs_rest import (
    choose_common_penalty,
    compute_example_f1,
    compute_sigmoid,
    find_best_threshold,
    fit_one_vs_rest,
)


def world(rows: int = 200, labels: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors, and labels that depend on them with noise."""
    draw = np.random.default_rng(4)
    vectors = draw.normal(size=(rows, 24))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    scores = vectors @ draw.normal(size=(24, labels)) * 4 + draw.normal(size=(rows, labels))
    return vectors.astype("float32"), scores > 0.8


@pytest.mark.parametrize("c", [0.3, 10.0])
def test_each_label_has_scikit_learns_regression(c: float) -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier

    vectors, members = world()
    head = fit_one_vs_rest(vectors, members, c)
    theirs = OneVsRestClassifier(LogisticRegression(C=c, max_iter=2000, tol=1e-8)).fit(vectors, members.astype(int))
    assert head.compute_logits(vectors) == pytest.approx(theirs.decision_function(vectors), abs=5e-3)


def test_the_penalty_is_the_best_of_left_out_rows() -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import KFold, cross_val_predict
    from sklearn.multiclass import OneVsRestClassifier

    vectors, members = world()
    c, scores = choose_common_penalty(vectors, members, [0.1, 3.0, 1000.0])
    for value, score in scores.items():
        model = OneVsRestClassifier(LogisticRegression(C=value, max_iter=2000, tol=1e-8))
        folds = KFold(5, shuffle=True, random_state=7)
        left_out = cross_val_predict(model, vectors, members.astype(int), cv=folds, method="predict_proba")
        assert score == pytest.approx(find_best_threshold(left_out, members)[1], abs=5e-3)
    assert scores[c] == max(scores.values())
    assert choose_common_penalty(vectors[:3], members[:3], [1.0, 2.0, 3.0]) == (2.0, {})


def test_a_common_threshold_is_the_best_of_all_and_of_equals_the_nearest_to_a_half() -> None:
    probabilities = np.array([[0.9, 0.32], [0.31, 0.1], [0.05, 0.04]])
    members = np.array([[True, True], [True, False], [False, False]])
    assert find_best_threshold(probabilities, members) == (0.31, 1.0)
    assert compute_example_f1(probabilities >= 0.5, members).tolist() == pytest.approx([2 / 3, 0, 1])
    assert find_best_threshold(np.array([[0.9], [0.1]]), np.array([[True], [False]])) == (0.5, 1.0)


def test_only_a_label_of_many_rows_has_a_threshold_of_its_own() -> None:
    draw = np.random.default_rng(1)
    members = np.stack([np.arange(60) < 30, np.arange(60) < 6], axis=1)
    # The first label's probabilities are all low, the second's are as they should be.
    probabilities = np.stack([members[:, 0] * 0.1 + 0.05, members[:, 1] * 0.6 + 0.2], axis=1)
    probabilities += draw.random((60, 2)) * 0.02
    thresholds, facts = choose_label_thresholds(probabilities, members)
    assert facts["own"] == 1 and facts["rows"] == 60 and facts["example_f1"] == 1.0
    assert 0.07 < thresholds[0] <= 0.15 and thresholds[1] == facts["common"]
    none, without = choose_label_thresholds(np.zeros((0, 2)), np.zeros((0, 2), bool))
    assert none.tolist() == [0.5, 0.5] and without == {"rows": 0}


def test_calibration_finds_the_scale_and_the_offset_of_the_scores() -> None:
    draw = np.random.default_rng(3)
    scores = draw.normal(size=(4000, 3))
    members = draw.random(scores.shape) < compute_sigmoid(2.5 * scores - 1)
    found, why = choose_sigmoid_calibration(scores, members, SigmoidCalibration())
    assert (found.scale, found.offset, why) == (pytest.approx(2.5, abs=0.12), pytest.approx(-1, abs=0.08), "")
    other, _ = choose_sigmoid_calibration(scores, members, SigmoidCalibration(20.0, -10.0))
    assert (other.scale, other.offset) == (pytest.approx(found.scale, abs=1e-2), pytest.approx(found.offset, abs=1e-2))
    from sklearn.metrics import log_loss

    logits = 2.5 * scores - 1
    theirs = log_loss(members.ravel(), compute_sigmoid(logits).ravel())
    assert compute_log_losses(logits, members).mean() == pytest.approx(theirs)


@pytest.mark.parametrize(("sign", "members", "why"), [
    (1, np.eye(10, dtype=bool), "10 validation rows are too few (fewer than 20)"),
    (1, np.zeros((30, 2), bool), "the validation rows have no label"),
    (1, np.arange(60).reshape(30, 2) % 2 == 0, "one threshold tells right from wrong labels without an error"),
    (-1, np.arange(60).reshape(30, 2) % 2 == 0, "the likelihood has no maximum within the bounds of the search"),
])
def test_rows_that_say_nothing_calibrate_nothing(sign: int, members: np.ndarray, why: str) -> None:
    separated = sign * np.where(members, 1.0, -1.0)
    assert choose_sigmoid_calibration(separated, members, SigmoidCalibration(3.0, 1.0)) == (
        SigmoidCalibration(3.0, 1.0), why,
    )


SCORING = """
from pathlib import Path

from factory.api import Answer, NoOpReporter, Provenance, Row, ScoreJob
from factory_classify.multi_label_metrics import MultiLabelMetrics

row = Row("r", {"label": ["l1", "unseen"]}, Provenance("rows.jsonl", 1))
answer = Answer("r", {f"l{n}": [1 / (n + 3), 0.5] for n in range(60)})
job = ScoreJob(
    seed=7, report=NoOpReporter(), root=Path(), rows=[row], train=[], validation=[], answers={"r": answer}, facts={},
)
print(list(MultiLabelMetrics().score(job)))
"""


def test_a_score_is_the_same_to_the_last_digit_in_every_process() -> None:
    """The order of a set of texts changes from process to process, and that of a sum changes its last digit."""
    said = {
        subprocess.run(
            [sys.executable, "-c", SCORING], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, text=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "2", "3", "4", "5")
    }
    assert len(said) == 1 and "brier" in said.pop()
