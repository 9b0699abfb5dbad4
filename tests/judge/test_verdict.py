"""Verdicts from scores, and the sentences that say why."""

import pytest
from statsmodels.stats.contingency_tables import mcnemar
from verdict_parts import SCORE, N, rows, verdict

from factory.api import Metric
from factory.evaluation.gate import decide_verdict
from factory.spec.fields import Gate


def test_it_ships_when_every_baseline_is_beaten() -> None:
    found = verdict({"bm25": -0.2, "untuned": -0.1})
    assert (found["verdict"], found["best_baseline"], found["n_to_settle"]) == ("SHIP", "untuned", None)
    assert found["reasons"][0].startswith("tuned beats bm25 by 0.2") and "(95 % interval 0." in found["reasons"][0]
    assert found["comparisons"][0]["won"] + found["comparisons"][0]["lost"] == N


def test_one_baseline_that_is_better_stops_it() -> None:
    found = verdict({"bm25": -0.2, "untuned": 0.1})
    assert found["verdict"] == "NO_SHIP" and found["reasons"][0].startswith("tuned loses to untuned by 0.098 ")


def test_a_prompted_baseline_that_is_as_good_is_enough() -> None:
    found = verdict({"bm25": -0.2, "few-shot": 0.1}, prompted={"few-shot"})
    assert found["verdict"] == "PROMPTING_IS_ENOUGH"
    assert "prompting is enough: the fine-tune does not beat few-shot" in found["reasons"]


def test_equal_answers_are_no_evidence_and_have_no_power() -> None:
    found = decide_verdict({"tuned": rows(0), "untuned": rows(0)}, SCORE, Gate())
    (only,) = found["comparisons"]
    assert (found["verdict"], only["tied"], only["p"]) == ("INSUFFICIENT_EVIDENCE", N, 1.0)
    assert only["low"] == -only["high"] < 0 < found["minimum_detectable_effect"]
    assert found["reasons"][0].startswith("tuned scores as untuned does on every row (95 % interval -0.00")
    assert not any("would ship in" in reason for reason in found["reasons"])


def test_an_interval_that_straddles_asks_for_more_rows() -> None:
    found = verdict({"bm25": -0.2, "untuned": -0.005})
    assert found["verdict"] == "INSUFFICIENT_EVIDENCE" and found["n_to_settle"] > N
    assert "which may be chance" in found["reasons"][0]
    assert f"about {found['n_to_settle']} test rows would settle" in found["reasons"][2]
    assert found["settle"] == {"count": found["n_to_settle"], "unit": "rows", "is_capped": False}


def test_a_wide_comparison_that_is_won_does_not_hide_how_many_rows_a_narrow_one_needs() -> None:
    right = [1] * 197 + [0] * 3
    nearly = [1] * 195 + [0, 0] + [1] + [0] * 2  # three lost, one won
    scores = {"tuned": rows(-0.5, right), "tfidf": rows(-0.5, nearly), "majority": rows(-0.5, [1] * 90 + [0] * 110)}
    found = decide_verdict(scores, SCORE, Gate())
    assert found["verdict"] == "INSUFFICIENT_EVIDENCE" and found["best_baseline"] == "tfidf"
    assert found["settle"] == {"count": 16 * N, "unit": "rows", "is_capped": True}
    assert f"more than {16 * N} test rows would be needed" in found["reasons"][2]


def test_a_leak_makes_every_number_worthless() -> None:
    found = verdict({"bm25": -0.2}, leaked=3)
    assert found["verdict"] == "NO_SHIP" and found["reasons"][0].startswith("3 training rows are too similar to test")


def test_the_margin_must_be_cleared_too() -> None:
    found = verdict({"bm25": -0.1}, Gate(margin=0.3))
    assert found["verdict"] == "NO_SHIP" and found["reasons"][0].endswith("must lie above the margin of 0.3")


def test_where_lower_is_better_a_positive_difference_still_favours_tuned() -> None:
    found = verdict({"bm25": 0.2}, metric=Metric("nDCG@10", "an error", higher_is_better=False))
    assert found["verdict"] == "SHIP" and found["comparisons"][0]["difference"] > 0.15


def test_binary_rows_are_judged_by_the_score_test() -> None:
    scores = {
        "tuned": rows(-0.5, [1] * 60 + [0] * 40), "bm25": rows(-0.5, [1] * 40 + [0] * 60),
    }
    found = decide_verdict(scores, Metric("nDCG@10", "right or wrong", binary=True), Gate())
    expected = mcnemar([[40, 20], [0, 40]], exact=False, correction=False).pvalue
    assert found["comparisons"][0]["p"] == pytest.approx(expected, rel=1e-5)
    assert found["tuned"]["low"] == pytest.approx(0.502, abs=0.001)


def test_contenders_must_have_answered_the_same_rows() -> None:
    with pytest.raises(ValueError, match="the contenders answered different rows: only one answered 'r199'"):
        decide_verdict({"tuned": rows(0), "bm25": rows(0)[:-1]}, SCORE, Gate())
    with pytest.raises(ValueError, match="a verdict needs scores of 'tuned' and of a baseline, not only bm25"):
        decide_verdict({"bm25": rows(0)}, SCORE, Gate())
    with pytest.raises(ValueError, match="tuned: row 'r000' has no 'mrr'; it has nDCG@10"):
        decide_verdict({"tuned": rows(0), "bm25": rows(0)}, Metric("mrr", ""), Gate())
