"""Whole builds with a teacher: killed, out of budget, edited, replayed; every answer is paid for once."""

from __future__ import annotations

import os
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import curious_builds as curious
import pytest
import toy_builds as builds
from loopback import Play, Server, serving

from factory.errors import UNAVAILABLE
from factory.teach import CALLS

pytest.importorskip("openai")


def retold(body: dict[str, Any]) -> str:
    """The same text in other words, as far as counting words goes."""
    return str(body["messages"][-1]["content"]).removeprefix("Retell: ") + " retold"


def paid(server: Server) -> int:
    return sum(server.served.values())


def ends(home: Path) -> Counter[Any]:
    return Counter(line["status"] for line in curious.ledger(home))


def test_a_killed_build_loses_none_and_pays_none_twice(toy: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    with serving(otherwise=Play(retold, wait=0.05)) as server:
        spec = curious.asking(toy / "toy.yaml", server.url, first=60)
        process = builds.start(spec, home, **curious.environment(toy))
        builds.until(lambda: paid(server) >= 20)
        for pid in [*builds.living(home), process.pid]:
            os.kill(pid, signal.SIGKILL)
        process.communicate()
        known = {line["key"] for line in curious.ledger(home) if line["status"] == "ok"}
        assert 10 <= len(known) < 60
        code, said = curious.build(spec, home)
        assert code == 0, said
    attempts, right = ends(home), [line["key"] for line in curious.ledger(home) if line["status"] == "ok"]
    assert len(list((home / CALLS).glob("*/*.json"))) == 60 == len(server.served), "none is lost"
    assert len(right) == len(set(right)) and paid(server) <= 60 + 4, "none that came in is paid twice"
    assert attempts["sent"] - attempts["ok"] <= 4, "no more is unaccounted for than was in flight"


def test_a_budget_stops_cleanly_and_goes_on_where_it_stopped(toy: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    with serving(otherwise=Play(retold)) as server:
        spec = curious.asking(toy / "toy.yaml", server.url, "budget: {tokens: 240}", first=40)
        for _ in range(2):
            code, said = curious.build(spec, home)
            assert code == UNAVAILABLE and "budget.tokens is spent: " in said[-1] and "are kept" in said[-1]
            assert 20 <= paid(server) < 20 + 4, "12 tokens an answer; never over by more than what is in flight"
        code, said = curious.build(spec, home, "--set", "budget.tokens=0", "--set", "budget.money=30")
        assert code == UNAVAILABLE and "budget.money is spent: " in said[-1]
        assert 25 <= paid(server) < 25 + 4, "1.2 an answer"
        code, said = curious.build(spec, home, "--set", "budget.tokens=500")
        assert code == 0, said
        assert paid(server) == 40 == ends(home)["ok"] == ends(home)["sent"]
