"""The mean over seeds of what a contender scored: rows and metrics are averaged, what describes one model is not."""

import pytest

from factory.api import Metric
from factory.evaluation.totals import TotalScores
from factory.stages.seed_scores import ContenderScores, average_scores, estimate_seeded_levels

ROWS = [f"r{i}" for i in range(12)]


def make_scores(right: int, total: float, ece: float) -> ContenderScores:
    values = {row: {"accuracy": float(i < right)} for i, row in enumerate(ROWS)}
    deciding = TotalScores(total, dict.fromkeys(ROWS, total), [total - 0.01, total, total + 0.01])
    return ContenderScores(values, {"macro_f1": total, "ece": ece}, {"labels": [{"f1": total}]}, "macro_f1", deciding)


def test_rows_and_totals_are_means_and_calibration_is_that_of_the_bundled_seed() -> None:
    by_seed = {7: make_scores(6, 0.4, 0.10), 8: make_scores(9, 0.7, 0.02)}
    mean = average_scores(by_seed, 8, ["macro_f1"])
    assert mean.list_values("accuracy") == [1.0] * 6 + [0.5] * 3 + [0.0] * 3
    assert mean.totals == {"macro_f1": 0.55, "ece": 0.02} and mean.tables == by_seed[8].tables
    assert mean.deciding is not None and mean.list_values("macro_f1") == pytest.approx([0.55] * 12)
    assert (mean.deciding.total, mean.deciding.resampled) == (pytest.approx(0.55), pytest.approx([0.54, 0.55, 0.56]))


def test_a_seeded_level_has_the_spread_of_its_seeds() -> None:
    metrics, every = [Metric("accuracy", "share of right labels", binary=True)], [make_scores(6, 0.4, 0.1)] * 2
    alike = estimate_seeded_levels(average_scores({7: every[0], 8: every[1]}, 7, []), every, metrics, ROWS, 0.95)
    assert (alike["accuracy"]["mean"], alike["accuracy"]["n"]) == (0.5, 12)
    assert alike["accuracy"]["low"] == pytest.approx(0.210945, abs=1e-6)  # Clopper and Pearson's, as of one seed
    unlike = [make_scores(6, 0.4, 0.1), make_scores(9, 0.7, 0.1)]
    spread = estimate_seeded_levels(average_scores(dict(enumerate(unlike)), 0, []), unlike, metrics, ROWS, 0.95)
    assert spread["accuracy"]["mean"] == 0.625
    assert (spread["accuracy"]["low"], spread["accuracy"]["high"]) == (0.0, 1.0)  # two seeds say little
    assert spread["macro_f1"]["mean"] == pytest.approx(0.55)
