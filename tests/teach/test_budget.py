"""A build that has spent its budget ends with a word, and goes on where it was."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import curious_builds as curious
import pytest
from loopback import Play, serving

from factory.errors import UNAVAILABLE
from factory.runs.run_outputs import RunOutputs
from factory.runs.run_view import iterate_newest_runs
from factory.views.cost import measure_build_cost

pytest.importorskip("openai")


def test_a_budget_stops_cleanly_and_goes_on_where_it_stopped(toy: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    with serving(otherwise=Play(curious.retold)) as server:
        spec = curious.asking(toy / "toy.yaml", server.url, "budget: {tokens: 240}", first=40)
        for _ in range(2):
            code, said = curious.build(spec, home)
            assert code == UNAVAILABLE and "budget.tokens is used up: " in said[-1] and "not paid for again" in said[-1]
            assert 20 <= len(server.asked) < 20 + 4, "12 tokens an answer; never over by more than what is in flight"
        code, said = curious.build(spec, home, "--set", "budget.tokens=0", "--set", "budget.cost=30")
        assert code == UNAVAILABLE and "budget.cost is used up: " in said[-1]
        assert 25 <= len(server.asked) < 25 + 4, "1.2 an answer"
        code, said = curious.build(spec, home, "--set", "budget.tokens=500")
        assert code == 0, said
        book = Counter(line["status"] for line in curious.ledger(home))
        assert len(server.asked) == 40 == book["ok"] == book["sent"]
    # Each run is charged with its own requests, and with no other's.
    costs = [measure_build_cost(RunOutputs(home, run)).requests for run in iterate_newest_runs(home)]
    assert all(len(parts) <= 1 and {part.model for part in parts} <= {"big"} for parts in costs)
    assert sum(part.requests for parts in costs for part in parts) == 40
    assert sum(part.cost for parts in costs for part in parts) == pytest.approx(48.0)
