"""Builds with a known truth: the gate's own functions err as seldom as they say. The whole table is a benchmark."""

from typing import Any

import pytest
from places import ROOT

BUILDS, RESAMPLES = 1000, 500


@pytest.fixture
def simulation(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import gate_simulation

    return gate_simulation


NULL = (
    "equal, 5 groups", "equal, 10 groups", "uneven, 10 groups", "t of 3, 20 rows", "60 % tied, 20 rows, gain 0",
    "binary, 100 rows, 0.04 differ, gain 0",
)


@pytest.mark.parametrize("name", NULL)
def test_the_gate_errs_as_seldom_as_it_says(simulation: Any, name: str) -> None:
    (setting,) = [setting for setting in simulation.list_null_settings() if setting.name == name]
    rates = simulation.simulate(setting, BUILDS, RESAMPLES)
    power = simulation.measure_power(setting, rates.effect, BUILDS, RESAMPLES)
    slack = 2 * (0.8 * 0.2 / BUILDS) ** 0.5
    assert simulation.find_faults(setting, rates, power + slack, BUILDS) == []
    assert rates.ship > 0.002 and power < 0.9  # nor is it right by never deciding


@pytest.mark.parametrize("count", [2, 4])
def test_one_equal_baseline_among_beaten_ones_stops_it(simulation: Any, count: int) -> None:
    setting = simulation.make_baselines(0.8, (0.0, *[-1.0] * (count - 1)))
    setting = simulation.fill_gains(setting, 200, RESAMPLES)
    assert setting.gains[1] == pytest.approx(0.11, abs=0.01)
    rates = simulation.simulate(setting, 500, RESAMPLES)
    assert 0.002 < rates.ship <= 0.025 + 2 * (0.025 * 0.975 / 500) ** 0.5


@pytest.mark.parametrize("name", ["equal, 3 groups", "uneven, 5 groups"])
def test_too_few_groups_are_not_judged(simulation: Any, name: str) -> None:
    (setting,) = [setting for setting in simulation.list_null_settings() if setting.name == name]
    rates = simulation.simulate(setting, 300, RESAMPLES)
    assert (rates.ship, rates.no_ship) == (0, 0)


def test_a_true_gain_that_few_rows_show_is_not_refused(simulation: Any) -> None:
    for setting in simulation.list_gain_settings():
        assert simulation.simulate(setting, 500, RESAMPLES).no_ship <= 0.025


def test_rare_losses_ship_too_often_and_are_warned_of(simulation: Any) -> None:
    for setting in simulation.list_skewed_settings()[:3]:
        rates = simulation.simulate(setting, 500, RESAMPLES)
        assert rates.ship * (1 - rates.warned) <= 0.04 < rates.ship
