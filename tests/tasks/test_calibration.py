"""Calibration and abstention: ties, the noise floor, temperatures that validation rows do not give, and promises."""

import math
from dataclasses import replace

import numpy as np
import pytest
from classify_parts import scored

from factory_classify.abstention import (
    apply_abstention,
    certify_abstention_threshold,
    find_abstention_threshold,
)
from factory_classify.calibration import (
    choose_bin_count,
    choose_temperature,
    compute_ece,
    compute_ece_floor,
    split_equal_mass_bins,
)
from factory_classify.classification_metrics import ClassificationMetrics


def measure_ece(confidences: list[float], hits: list[bool]) -> float:
    return compute_ece(list(split_equal_mass_bins(confidences, hits)))


def draw_calibrated(draw: np.random.Generator, rows: int) -> tuple[list[float], list[bool]]:
    confidences = draw.beta(4, 0.5, rows)
    return confidences.tolist(), (draw.random(rows) < confidences).tolist()


def test_bins_are_of_equal_mass() -> None:
    sure, hits = [0.5, 0.6, 0.7, 0.8, 0.9, 0.9], [False, True, False, True, True, True]
    found = list(split_equal_mass_bins(sure, hits, 3))
    assert [(round(one.confidence, 2), one.accuracy, one.n) for one in found] == [
        (0.55, 0.5, 2), (0.75, 0.5, 2), (0.9, 1, 2),
    ]
    assert compute_ece(found) == pytest.approx((0.05 + 0.25 + 0.1) / 3)


@pytest.mark.parametrize("levels", [[0.8], [0.5, 0.9], [0.5, 0.6, 0.7, 0.8, 0.9], [0.99701]])
def test_calibrated_answers_with_few_different_confidences_have_no_error(levels: list[float]) -> None:
    confidences = [level for level in levels for _ in range(500)]
    hits = [number < 500 * level for level in levels for number in range(500)]
    right = sum(abs(sum(hits[i * 500:][:500]) / 500 - level) for i, level in enumerate(levels)) / len(levels)
    assert right < 0.002 and measure_ece(confidences, hits) == pytest.approx(right, abs=1e-9)
    order = np.random.default_rng(0).permutation(len(hits))
    shuffled = [confidences[i] for i in order], [hits[i] for i in order]
    assert measure_ece(*shuffled) == pytest.approx(measure_ece(confidences, hits), abs=1e-12)


def test_few_rows_have_few_bins() -> None:
    assert [choose_bin_count(rows) for rows in (1, 15, 39, 40, 100, 299, 300, 2000)] == [1, 1, 1, 2, 5, 14, 15, 15]
    assert len(list(split_equal_mass_bins(*draw_calibrated(np.random.default_rng(0), 100)))) == 5
    assert list(split_equal_mass_bins([], [])) == [] and measure_ece([], []) == compute_ece_floor([]) == 0


@pytest.mark.parametrize("rows", [30, 100, 500, 2000])
def test_the_floor_is_what_calibrated_answers_show_by_chance(rows: int) -> None:
    draw = np.random.default_rng(rows)
    shown = [measure_ece(*draw_calibrated(draw, rows)) for _ in range(100)]
    floor = np.mean([compute_ece_floor(draw_calibrated(draw, rows)[0]) for _ in range(10)])
    assert floor == pytest.approx(np.mean(shown), rel=0.12)


def test_the_floor_of_twenty_coin_tosses_is_that_of_the_binomial() -> None:
    right = sum(math.comb(20, hits) / 2**20 * abs(hits / 20 - 0.5) for hits in range(21))
    assert compute_ece_floor([0.5] * 20) == pytest.approx(right, rel=0.06)


def test_the_totals_show_the_floor_beside_the_error() -> None:
    job = scored([{"a": 0.8, "b": 0.2}] * 500, ["a"] * 400 + ["b"] * 100)
    totals = ClassificationMetrics().compute_totals(job)
    assert totals["ece"] == pytest.approx(0, abs=1e-9) and 0.005 < totals["ece_floor"] < 0.02
    assert {bin["accuracy"] for bin in ClassificationMetrics().build_tables(job)["reliability"]} == {0.8}


def test_no_temperature_comes_from_rows_that_say_nothing_about_it() -> None:
    draw = np.random.default_rng(0)
    right = draw.integers(0, 3, 60)
    logits = draw.normal(size=(60, 3))
    logits[np.arange(60), right] += 9
    assert choose_temperature(logits, right) == (1.0, "none of the 60 validation rows is answered wrongly")
    assert choose_temperature(logits, right, 0.05)[0] == 0.05
    assert choose_temperature(logits[:19], right[:19])[1] == "19 validation rows are too few (fewer than 20)"
    assert choose_temperature(logits, (right + 1) % 3)[1] == "each of the 60 validation rows is answered wrongly"
    wrong = right.copy()
    wrong[:30] = (right[:30] + 1) % 3
    assert choose_temperature(logits * 1000, wrong)[1].startswith("the likelihood has no maximum between 0.05 and 20")
    wrong = right.copy()
    wrong[:6] = (right[:6] + 1) % 3
    temperature, reason = choose_temperature(logits, wrong)
    assert not reason and temperature > 1.5


def test_a_threshold_keeps_what_is_wanted_as_measured() -> None:
    sure, hits = [0.5, 0.6, 0.7, 0.8, 0.9, 0.9], [False, True, False, True, True, True]
    perfect, most = find_abstention_threshold(sure, hits, 1.0), find_abstention_threshold(sure, hits, 0.8)
    assert (perfect.below, perfect.coverage) == (0.8, 0.5)
    assert (most.below, most.coverage, most.accuracy) == (0.6, pytest.approx(5 / 6), 0.8)
    none = find_abstention_threshold([0.9], [False], 0.5)
    assert (none.below, none.coverage, none.accuracy) == (1.0, 0.0, 0.0)


def test_a_promise_needs_the_exact_binomial_bound() -> None:
    from statsmodels.stats.proportion import proportion_confint

    for missed in (0, 1, 2):
        hits = [True] * (100 - missed) + [False] * missed
        low = float(proportion_confint(100 - missed, 100, alpha=0.1, method="beta")[0])
        found = certify_abstention_threshold([0.9] * 100, hits, 0.95)
        assert (found.answered == 100) == (low >= 0.95)
    assert certify_abstention_threshold([0.9] * 58, [True] * 58, 0.95).answered == 0
    assert certify_abstention_threshold([0.9] * 59, [True] * 59, 0.95).answered == 59


@pytest.mark.parametrize("rows", [50, 100, 200, 500])
def test_a_promised_accuracy_is_kept_on_new_rows(rows: int) -> None:
    draw, broken, measured_broken, answered = np.random.default_rng(rows), 0, 0, 0
    new, new_hits = draw_calibrated(draw, 100_000)
    new_rows = np.array(new), np.array(new_hits)
    for _ in range(200):
        confidences, hits = draw_calibrated(draw, rows)
        for promise in (True, False):
            choose = certify_abstention_threshold if promise else find_abstention_threshold
            found = choose(confidences, hits, 0.95)
            kept = new_rows[1][new_rows[0] >= found.below]
            is_broken = bool(found.answered) and kept.mean() < 0.95
            broken, measured_broken = broken + (is_broken and promise), measured_broken + (is_broken and not promise)
            answered += promise and found.answered > 0
    assert broken <= 0.05 * 200 + 6 and measured_broken > 80
    assert rows < 500 or answered > 100


def test_the_bundles_own_threshold_is_judged_on_the_test_rows_beside_the_oracle() -> None:
    sure = [0.95] * 4 + [0.8] * 4 + [0.6] * 2
    job = scored([{"a": p, "b": round(1 - p, 2)} for p in sure], ["a"] * 3 + ["b"] + ["a"] * 3 + ["b"] * 3)
    plain = ClassificationMetrics(target_accuracy=0.7).compute_totals(job)
    assert "bundle_accuracy" not in plain and (plain["oracle_threshold"], plain["oracle_coverage"]) == (0.8, 0.8)
    told = replace(job, facts={"abstain_below": 0.9})
    totals = ClassificationMetrics(target_accuracy=0.7).compute_totals(told)
    assert (totals["bundle_threshold"], totals["bundle_coverage"], totals["bundle_accuracy"]) == (0.9, 0.4, 0.75)
    lines = ClassificationMetrics(target_accuracy=0.7).build_tables(told)["abstaining"]
    assert [(line["below"], line["accuracy"], line["chosen_by"]) for line in lines[-2:]] == [
        (0.9, 0.75, "the bundle, on validation rows"), (0.8, 0.75, "oracle: the best for these test rows"),
    ]
    assert apply_abstention(sure, [True] * 10, 1.0).answered == 0
