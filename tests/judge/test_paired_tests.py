"""One test gives verdict, interval and p of a comparison: its values, and that they never disagree."""

import itertools
from typing import Any

import numpy as np
import pytest
import statsmodels.api
from statsmodels.stats.contingency_tables import mcnemar
from verdict_parts import rows

from factory.api import Metric
from factory.evaluation.gate import decide_verdict
from factory.evaluation.paired_tests import ScoreTest, run_paired_tests, subtract_scores
from factory.spec.fields import Gate

BINARY = Metric("nDCG@10", "right or wrong", binary=True)
NUMBER = Metric("nDCG@10", "a number")


def decide(tuned: Any, base: Any, groups: Any = None, metric: Metric = NUMBER, gate: Gate | None = None) -> Any:
    scores = {"tuned": rows(-0.5, tuned), "base": rows(-0.5, base)}
    for row, group in zip(scores["tuned"], groups if groups is not None else [""] * len(tuned), strict=True):
        row["group"] = str(group)
    found = decide_verdict(scores, metric, gate or Gate())
    return found, found["comparisons"][0]


def pairs(won: int, lost: int, n: int) -> tuple[list[int], list[int]]:
    tied = n - won - lost
    return [1] * won + [0] * lost + [1] * tied, [0] * won + [1] * lost + [1] * tied


@pytest.mark.parametrize(
    ("won", "lost", "n", "low", "high", "p"),
    [
        (0, 0, 10, -0.2775, 0.2775, 1.0), (0, 1, 20, -0.2361, 0.1192, 0.3173), (12, 2, 50, 0.0611, 0.3447, 0.0075),
        (4, 0, 100, 0.0015, 0.0984, 0.0455), (5, 0, 100, 0.0112, 0.1118, 0.0253), (10, 0, 10, 0.4449, 1.0, 0.0016),
    ],
)
def test_binary_rows_get_tangos_interval_and_its_p(
    won: int, lost: int, n: int, low: float, high: float, p: float
) -> None:
    test = ScoreTest(won, lost, n)
    assert test.compute_bounds(0.95) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))
    assert test.compute_p_value() == pytest.approx(p, abs=5e-5)
    if won or lost:
        table = [[0, won], [lost, n - won - lost]]
        assert test.compute_p_value() == pytest.approx(mcnemar(table, exact=False, correction=False).pvalue)
    # The interval of 1 - p touches 0.
    if won - lost:
        assert min(map(abs, test.compute_bounds(1 - test.compute_p_value()))) == pytest.approx(0, abs=1e-9)


def test_four_won_of_a_hundred_ship_with_the_p_of_their_interval() -> None:
    for (won, lost), word in {(4, 0): "SHIP", (0, 4): "NO_SHIP", (3, 0): "INSUFFICIENT_EVIDENCE"}.items():
        found, only = decide(*pairs(won, lost, 100), metric=BINARY)
        assert found["verdict"] == word
        assert (only["p"] < 0.05) == (word != "INSUFFICIENT_EVIDENCE")


def test_where_next_to_nothing_differs_nothing_follows() -> None:
    for metric, n, lost in itertools.product((BINARY, NUMBER), (10, 20, 100), (0, 1, 2)):
        found, only = decide(*pairs(0, lost, n), metric=metric, gate=Gate(margin=0.0))
        assert found["verdict"] == "INSUFFICIENT_EVIDENCE" and only["low"] < 0 < only["high"]
        assert found["minimum_detectable_effect"] >= 2.8 * 3**0.5 / n - 1e-3
    found, only = decide(*pairs(0, 0, 10), metric=BINARY, gate=Gate(margin=0.1))
    assert found["verdict"] == "INSUFFICIENT_EVIDENCE" and only["high"] == pytest.approx(0.2775, abs=1e-4)
    assert not any("would ship in" in reason for reason in found["reasons"])


def test_few_groups_do_not_ship_by_chance_and_are_named() -> None:
    found, only = decide([0.6, 0.7] * 100, [0.5] * 200, ["a", "b"] * 100)
    assert found["verdict"] == "INSUFFICIENT_EVIDENCE" and only["p"] > 0.05 and only["low"] < 0
    assert found["unproven"] == [found["reasons"][0]]
    reason = "the 200 test rows are of 2 groups (as good as 2.0 of equal size): with fewer than 5 groups"
    assert found["reasons"][0].startswith(reason)
    assert found["settle"] == {"count": 5, "unit": "groups", "is_capped": False}
    assert found["reasons"][-1] == "at least 5 groups of test rows are needed to judge at all"
    noise = np.random.default_rng(0).normal(0.069, 0.02, 300)
    assert decide(0.5 + noise, [0.5] * 300, ["a", "b", "c"] * 100)[0]["verdict"] == "INSUFFICIENT_EVIDENCE"
    # One group has nearly all rows: six of unequal size are as good as one.
    found, _ = decide([0.6] * 300, [0.5] * 300, ["a"] * 295 + list("bcdef"))
    assert found["verdict"] == "INSUFFICIENT_EVIDENCE"


@pytest.mark.parametrize("n", [2, 3, 4])
def test_few_rows_without_groups_do_not_ship(n: int) -> None:
    for metric, base in ((NUMBER, 0.5), (BINARY, 0.0)):
        found, _ = decide([base + (1.0 if metric.binary else 0.1)] * n, [base] * n, metric=metric)
        assert found["verdict"] == "INSUFFICIENT_EVIDENCE"
        assert f"the {n} test rows are of {n} groups: with fewer than 5 groups" in found["reasons"][0]


def test_verdict_interval_and_p_never_disagree() -> None:
    draw = np.random.default_rng(1)
    for case in range(400):
        groups, n = int(draw.integers(2, 30)), int(draw.integers(30, 80))
        binary = case % 3 == 0
        tuned = draw.integers(0, 2, n) if binary else draw.normal(0.55, 0.2, n)
        base = np.where(draw.random(n) < 0.7, tuned, draw.integers(0, 2, n) if binary else draw.normal(0.4, 0.2, n))
        margin, confidence = float(draw.choice([0.0, 0.02])), float(draw.choice([0.8, 0.95]))
        named = draw.integers(0, groups, n) if case % 2 else None
        gate = Gate(margin=margin, confidence=confidence, resamples=500)
        found, only = decide(tuned, base, named, BINARY if binary else NUMBER, gate)
        excluded = not only["low"] <= margin <= only["high"]
        assert excluded == (only["p"] < round(1 - confidence, 12))
        word = "SHIP" if only["low"] > margin else "NO_SHIP" if only["high"] < margin else "INSUFFICIENT_EVIDENCE"
        assert found["verdict"] == (word if only["effective_groups"] >= 5 else "INSUFFICIENT_EVIDENCE")


def test_p_is_one_minus_the_confidence_whose_interval_touches_the_margin() -> None:
    draw = np.random.default_rng(2)
    for margin in (0.0, 0.03):
        values = draw.normal(0.1, 0.3, 80) * (draw.random(80) < 0.5)
        (result,) = run_paired_tests([list(values)], [str(i % 13) for i in range(80)], 0.95, margin)
        bounds = result.test.compute_bounds(1 - result.test.compute_p_value(margin))
        assert min(abs(bound - margin) for bound in bounds) < 1e-9


def test_p_of_a_sure_gain_is_that_of_the_cluster_robust_t_test() -> None:
    draw = np.random.default_rng(4)
    groups = np.repeat(np.arange(40), 5)
    values = 0.3 + draw.normal(0, 0.2, 40)[groups] + draw.normal(0, 0.3, 200)
    (result,) = run_paired_tests([list(values)], [f"g{g:02}" for g in groups], 0.95)
    fit = statsmodels.api.OLS(values, np.ones(200)).fit(
        cov_type="cluster", cov_kwds={"groups": groups}, use_t=True
    )
    # statsmodels multiplies the variance by (n - 1) / (n - 1) * G / (G - 1), as we do; no bootstrap limits p.
    assert result.p == pytest.approx(float(fit.pvalues[0]), rel=1e-4) and result.p < 1e-6
    low, high = fit.conf_int()[0]
    assert result.interval.low <= low + 1e-6 and result.interval.high >= high - 1e-6
    assert result.interval.high - result.interval.low < 1.05 * (high - low)


def test_rounding_errors_are_ties() -> None:
    one, other = {f"r{i}": 0.1 + 0.2 for i in range(20)}, {f"r{i}": 0.3 for i in range(20)}
    assert set(subtract_scores(one, other).values()) == {0.0}
    _, only = decide([0.1 + 0.2] * 20, [0.3] * 20)
    assert (only["won"], only["lost"], only["tied"], only["p"]) == (0, 0, 20, 1.0)
