"""Looks at pure chance: without a correction luck adds up, with the gate's it does not. The table is a benchmark."""

from typing import Any

import pytest
from places import ROOT

from factory.evaluation.look_confidence import FREE_LOOKS, compute_look_confidence, describe_looks

SERIES, LOOKS, RESAMPLES = 1200, 12, 300


@pytest.fixture
def simulation(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import looks_simulation

    return looks_simulation


@pytest.mark.parametrize(("place", "limit"), [(0, 0.0625), (1, 0.05), (2, 0.05), (4, 0.05), (5, 0.05)])
def test_luck_ships_no_more_after_a_dozen_looks_than_it_may(simulation: Any, place: int, limit: float) -> None:
    chance = simulation.list_chances()[place]
    needed = simulation.simulate(chance, SERIES, LOOKS, RESAMPLES)
    rules = simulation.SCHEDULES
    by_luck = {name: simulation.measure_luck(needed, rule, LOOKS) for name, rule in rules.items()}
    (gate,) = [rate for name, rate in by_luck.items() if name.startswith("the gate")]
    assert gate <= limit + 2 * (limit * (1 - limit) / SERIES) ** 0.5
    assert by_luck["no correction"] > gate + 0.01
    # One look is as it was, and nobody is refused for ever.
    assert 0.005 < simulation.measure_luck(needed, rules["no correction"], 1) <= 0.025 + 2 * (0.025 / SERIES) ** 0.5


def test_all_looks_together_may_err_two_and_a_half_times_what_one_may() -> None:
    allowed = [1 - compute_look_confidence(0.95, look) for look in range(1, 20_000)]
    assert allowed[: FREE_LOOKS + 1] == pytest.approx([0.05, 0.05, 0.05 / 6])
    assert sum(allowed) == pytest.approx(2.5 * 0.05, rel=1e-4)
    assert allowed == sorted(allowed, reverse=True)


def test_what_is_said_of_looks() -> None:
    assert describe_looks(0.95, 1) == "these test rows were judged once"
    assert describe_looks(0.95, 2).startswith("these test rows were judged 2 times; ")
    assert "judged 7 times: at this look the gate needs intervals of 99.88 % in place" in describe_looks(0.95, 7)
    assert "intervals of 99.999495 % in place of 95 %" in describe_looks(0.95, 100)
