"""The gate's statistics: intervals that cover, tests that agree with references, verdicts that seldom err."""

import math
from collections import Counter
from typing import Any

import numpy as np
import pytest
from scipy import stats as reference
from statsmodels.stats.multitest import multipletests

from factory.api import Metric
from factory.errors import InputError
from factory.evaluation import statistics
from factory.evaluation.gate import decide_verdict
from factory.spec.fields import Gate

SCORE = Metric("score", "a number")
RIGHT = Metric("right", "0 or 1", binary=True)


def rows(values: Any, groups: Any = None, metric: str = "score") -> list[dict[str, Any]]:
    named = groups if groups is not None else [""] * len(values)
    return [
        {"id": f"r{i:04}", "group": str(group), "values": {metric: float(value), "ceiling": 0.75}}
        for i, (value, group) in enumerate(zip(values, named, strict=True))
    ]


def build(
    seed: int, effect: float, n: int = 300, groups: int = 60, weak: float = 0.0
) -> dict[str, list[dict[str, Any]]]:
    """Scores of tuned and three baselines, alike within a group; tuned leads by `effect`, and two by `weak` more."""
    draw = np.random.default_rng(seed)
    group = draw.integers(0, groups, n)
    names = [f"g{g}" for g in group]
    shifts = {"tuned": effect, "bm25": -weak, "hybrid": -weak, "untuned": 0.0}
    return {
        name: rows(shift + draw.normal(0, 0.1, groups)[group] + draw.normal(0, 0.3, n), names)
        for name, shift in shifts.items()
    }


def test_without_an_effect_the_gate_ships_in_at_most_one_of_twenty_builds() -> None:
    gate = Gate(resamples=500)
    words = Counter(decide_verdict(build(seed, 0.0, weak=0.3), SCORE, gate)["verdict"] for seed in range(1000))
    assert 5 <= words["SHIP"] <= 50


def test_the_stated_effect_ships_in_four_of_five_builds() -> None:
    gate = Gate(resamples=500)
    effect = decide_verdict(build(0, 0.0), SCORE, gate)["minimum_detectable_effect"]
    words = Counter(decide_verdict(build(seed, effect), SCORE, gate)["verdict"] for seed in range(200))
    assert words["SHIP"] >= 160 and 0.05 < effect < 0.2


@pytest.mark.parametrize("groups", [12, 40, 300])
def test_an_interval_covers_the_truth_as_often_as_it_says(groups: int) -> None:
    draw, missed = np.random.default_rng(groups), 0
    for seed in range(600):
        sizes = draw.geometric(groups / 300, groups).astype(float)
        sums = draw.normal(0, 0.1, groups) * sizes + draw.normal(0, 0.3, groups) * np.sqrt(sizes)
        sample = statistics.ClusterSample(sums, sizes)
        (means,) = statistics.bootstrap_means([sample], 500, seed)
        low, high = statistics.ClusterTest(sample, means).compute_bounds(0.95)
        missed += not low <= 0 <= high
    assert missed / 600 <= 0.075


def test_resamples_are_drawn_in_blocks_and_not_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    sample = statistics.group_by_cluster(list(np.random.default_rng(0).normal(size=300)), [str(i) for i in range(300)])
    draws: list[tuple[int, int]] = []
    real = np.random.default_rng(7)

    class Counting:
        def integers(self, low: int, high: int, size: tuple[int, int], dtype: type) -> np.ndarray:
            draws.append(size)
            return real.integers(low, high, size, dtype=dtype)

    monkeypatch.setattr(np.random, "default_rng", lambda seed: Counting())
    statistics.bootstrap_means([sample], 10_000, 7)
    assert sum(rows for rows, _ in draws) == 10_000 and len(draws) <= 100
    assert all(rows * clusters <= statistics.BOOTSTRAP_BLOCK for rows, clusters in draws)


def test_the_interval_of_rows_alone_is_students() -> None:
    values = np.random.default_rng(1).normal(0.2, 1, 300)
    found = statistics.compute_mean_interval(list(values), [str(i) for i in range(300)], 0.95)
    low, high = reference.t.interval(0.95, 299, values.mean(), reference.sem(values))
    assert (found.low, found.high) == (pytest.approx(low, abs=0.01), pytest.approx(high, abs=0.01))


def test_rows_that_repeat_their_group_widen_the_interval() -> None:
    values = list(np.repeat(np.random.default_rng(1).normal(0, 1, 30), 10))
    alone = statistics.compute_mean_interval(values, [str(i) for i in range(300)], 0.95)
    together = statistics.compute_mean_interval(values, [str(i // 10) for i in range(300)], 0.95)
    assert together.high - together.low > 2.5 * (alone.high - alone.low)


def test_the_order_of_rows_plays_no_part() -> None:
    scores = build(3, 0.1)
    turned = {name: list(reversed(found)) for name, found in scores.items()}
    assert decide_verdict(turned, SCORE, Gate()) == decide_verdict(scores, SCORE, Gate())


def test_rows_of_one_group_give_no_interval() -> None:
    with pytest.raises(InputError, match=r"are of one group \('N13'\): an interval needs rows of several groups"):
        statistics.compute_mean_interval([0.1, 0.2], ["N13", "N13"], 0.95)


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [  # Newcombe 1998, "Two-sided confidence intervals for the single proportion", table I, method 3
        (81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718),
        (20, 20, 0.8389, 1.0),
    ],
)
def test_binary_rows_without_groups_get_wilsons_interval(successes: int, n: int, low: float, high: float) -> None:
    values = [1.0] * successes + [0.0] * (n - successes)
    interval = statistics.compute_mean_interval(values, [str(i) for i in range(n)], 0.95, binary=True)
    assert (interval.low, interval.high) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))
    assert (interval.mean, interval.n) == (pytest.approx(successes / n, abs=1e-6), n)


def test_holm_steps_down() -> None:
    values = [0.01, 0.04, 0.03, 0.005]
    assert statistics.adjust_p_values(values) == pytest.approx(list(multipletests(values, method="holm")[1]))


def test_p_agrees_with_the_paired_t_test() -> None:
    values = np.random.default_rng(5).normal(0.12, 1, 300)
    sample = statistics.group_by_cluster(list(values), [str(i) for i in range(300)])
    found = statistics.ClusterTest(sample, statistics.bootstrap_means([sample], 20_000, 7)[0]).compute_p_value()
    assert found == pytest.approx(reference.ttest_1samp(values, 0).pvalue, abs=0.01)


def test_rows_to_settle_do_settle() -> None:
    found = decide_verdict(build(1, 0.05, n=200), SCORE, Gate())
    assert found["verdict"] == "INSUFFICIENT_EVIDENCE" and found["settle"]["unit"] == "groups"
    assert found["n_to_settle"] > 60
    larger = [build(seed, 0.2, n=1200, groups=found["n_to_settle"]) for seed in range(3)]
    assert [decide_verdict(scores, SCORE, Gate())["verdict"] for scores in larger] == ["SHIP"] * 3
    assert math.isclose(found["ceiling"], 0.75)
