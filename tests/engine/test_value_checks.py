"""What a contender or an eval yields is checked at the boundary: one line names the plugin, the row and the fault."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from classify_parts import scored

from factory.api import Answer, Eval, Metric, ScoreJob, Scores
from factory.errors import InputError, PluginError
from factory.stages.value_checks import compute_row_scores, order_answers
from factory_classify.classification_metrics import ClassificationMetrics
from factory_classify.lexical_baselines import Majority
from factory_classify.task import Classifier

CLASSIFIER = Classifier()
JOB = scored([{"a": 0.9, "b": 0.1}, {"a": 0.2, "b": 0.8}], ["a", "b"])
ANSWERS = [Answer("r0", {"a": 1.0}), Answer("r1", {"a": 0.25, "b": 0.75})]


class GivenScores(Eval):
    """An eval that yields what it was given, right or wrong."""

    kind = "given"
    metrics = (Metric("quality", "any value"),)
    given: list[tuple[str, Any]]

    def score(self, job: ScoreJob) -> Iterator[Scores]:
        yield from (Scores(row, values) for row, values in self.given)


def check(answers: list[Answer], output_type: str = "labels") -> list[str]:
    return [answer.id for answer in order_answers(Majority(), answers, JOB.rows, output_type)]


def test_answers_come_in_the_order_of_the_rows() -> None:
    assert check(ANSWERS[::-1]) == ["r0", "r1"]
    assert check([Answer("r0", [0.5, -3.0]), Answer("r1", "nan")], "other") == ["r0", "r1"]


@pytest.mark.parametrize(("output", "problem"), [
    ({"a": float("nan")}, "the probability of 'a' is nan, not a finite number"),
    ({"a": float("inf")}, "the probability of 'a' is inf, not a finite number"),
    ({"a": 1.5, "b": -0.5}, "the probability of 'b' is negative: -0.5"),
    ({"a": 0.5, "b": 0.3}, "the label probabilities sum to 0.800, not 1"),
    ({"a": True}, "the probability of 'a' is True, not a finite number"),
    ({}, "expected a mapping of label to probability"), ("a", "expected a mapping of label to probability"),
])
def test_an_answer_that_is_no_distribution_is_refused(output: Any, problem: str) -> None:
    with pytest.raises(PluginError) as error:
        check([ANSWERS[0], Answer("r1", output)])
    assert str(error.value) == f"contender 'majority': the answer to row 'r1': {problem}"
    answers: Mapping[str, Answer] = {**JOB.answers, "r1": Answer("r1", output)}
    with pytest.raises(ValueError, match="row 'r1': "):
        list(ClassificationMetrics().score(replace(JOB, answers=answers)))


def test_numbers_of_every_type_of_answer_are_finite() -> None:
    with pytest.raises(PluginError, match=r"row 'r1': inf is not a finite number"):
        check([Answer("r0", [1.0]), Answer("r1", [0.5, float("inf")])], "ranking")


def test_each_row_has_one_answer() -> None:
    with pytest.raises(PluginError, match=r"^contender 'majority': two answers to row 'r0'$"):
        check([*ANSWERS, ANSWERS[0]])
    with pytest.raises(PluginError, match=r"1 answers to 2 rows; none to row 'r1'"):
        check(ANSWERS[:1])
    with pytest.raises(PluginError, match=r"answers to 'x', which is not a row"):
        check([*ANSWERS, Answer("x", {"a": 1.0})])


@pytest.mark.parametrize(("given", "problem"), [
    ([("r0", {"quality": 1}), ("r0", {"quality": 0}), ("r1", {"quality": 1})], "two scores to row 'r0'"),
    ([("r0", {"quality": 1})], "row 'r1' has no value for quality"),
    ([("r0", {}), ("r1", {"quality": 1})], "row 'r0' has no value for quality"),
    ([("r0", {"quality": 1}), ("r1", {"quality": float("nan")})], "row 'r1': quality is nan, not a finite number"),
    ([("r0", {"quality": None}), ("r1", {"quality": 1})], "row 'r0': quality is None, not a finite number"),
    ([("r9", {"quality": 1})], "scores to 'r9', which is not a row"),
])
def test_each_row_has_one_set_of_finite_scores(given: list[tuple[str, Any]], problem: str) -> None:
    with pytest.raises(PluginError) as error:
        compute_row_scores(GivenScores(given=given), JOB)
    assert str(error.value) == f"eval 'given': {problem}"


def test_right_scores_pass() -> None:
    given = GivenScores(given=[("r1", {"quality": 0.5}), ("r0", {"quality": 1})])
    assert compute_row_scores(given, JOB) == {"r1": {"quality": 0.5}, "r0": {"quality": 1}}


def test_without_a_test_row_nothing_is_scored() -> None:
    with pytest.raises(InputError, match=r"^there are no rows to score"):
        replace(JOB, rows=[])


def test_labels_are_compared_in_one_form() -> None:
    composed, decomposed = "caf\u00e9", "cafe\u0301"
    for said, right in ((composed, decomposed), (decomposed, composed)):
        job = scored([{said: 0.9, "tea": 0.1}], [right])
        (scores,) = ClassificationMetrics().score(job)
        assert scores.values["accuracy"] == 1 and scores.values["nll"] == pytest.approx(0.10536, abs=1e-5)
        assert ClassificationMetrics().compute_totals(job)["macro_f1"] == 1
    twice = scored([{composed: 0.9, decomposed: 0.1}], [composed])
    with pytest.raises(ValueError, match="two of the answer's labels differ in their Unicode form or white space only"):
        list(ClassificationMetrics().score(twice))
    both = [JOB.rows[0].with_columns(label=composed), JOB.rows[1].with_columns(label=decomposed)]
    assert CLASSIFIER.list_choices(both) == (composed,)


def test_a_set_of_labels_has_a_probability_and_a_threshold_for_each() -> None:
    sets = [Answer("r0", {"a": [0.9, 0.5]}), Answer("r1", {})]
    assert check(sets, "label-sets") == ["r0", "r1"]
    with pytest.raises(PluginError, match=r"the answer to row 'r1': 'a' has 0.9, not \[probability, threshold\]"):
        check([sets[0], Answer("r1", {"a": 0.9})], "label-sets")
