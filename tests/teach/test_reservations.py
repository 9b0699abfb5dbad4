"""A budget holds with many requests at once, in several processes, and with endpoints that count wrongly or not."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from loopback import Play, serving
from teach_parts import ask, statuses, teacher
from toy_builds import PATIENCE

from factory.errors import UnavailableError
from factory.llm import LEDGER_FILE, BudgetTerms, read_ledger
from factory.llm.ledger import Ledger

pytest.importorskip("openai")

CHILD = """
import sys
from pathlib import Path
from factory.api import ChatRequest, Endpoint, Message
from factory.errors import UnavailableError
from factory.llm import BudgetTerms, TeacherPool
home, url, name = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
endpoint = Endpoint(model=name, base_url=url, concurrency=32)
client = TeacherPool(home, BudgetTerms("test", tokens=600), lambda: None).get_teacher(endpoint)
try:
    list(client.ask(ChatRequest((Message("user", f"{name} {n}"),), max_tokens=2) for n in range(60)))
except UnavailableError:
    sys.exit(69)
"""


def test_many_at_once_are_at_most_one_request_over(tmp_path: Path) -> None:
    with serving(otherwise=Play("x", wait=0.02)) as server:
        client = teacher(server, tmp_path, BudgetTerms("test", tokens=120), concurrency=64)
        with pytest.raises(UnavailableError, match=r"budget\.tokens is used up: 120 of 120 tokens for 10 answers"):
            list(client.ask(ask(f"n{n}") for n in range(200)))
        assert len(server.asked) == 10


def test_a_budget_that_has_room_is_no_brake(tmp_path: Path) -> None:
    with serving(otherwise=Play("x", hold=lambda server: server.most_at_once >= 8)) as server:
        client = teacher(server, tmp_path, BudgetTerms("test", tokens=100_000), concurrency=16)
        list(client.ask(ask(f"n{n}") for n in range(32)))
        assert server.most_at_once >= 8


def test_several_processes_reserve_from_one_budget(tmp_path: Path) -> None:
    with serving(otherwise=Play("x", wait=0.02)) as server:
        run = [sys.executable, "-c", CHILD, str(tmp_path), server.url]
        children = [subprocess.Popen([*run, name]) for name in ("one", "two", "three")]
        assert [child.wait(PATIENCE) for child in children] == [69, 69, 69]
        assert len(server.asked) == 50, "12 tokens each"


@pytest.mark.parametrize("usage", [
    {}, {"prompt_tokens": -900, "completion_tokens": -900}, {"prompt_tokens": 0, "completion_tokens": 0},
    {"prompt_tokens": 10**40, "completion_tokens": "many"}, {"prompt_tokens": True, "completion_tokens": None},
])
def test_tokens_that_an_endpoint_does_not_count_are_estimated(tmp_path: Path, usage: dict[str, int]) -> None:
    with serving(otherwise=Play("y" * 40, usage=usage)) as server:
        client = teacher(server, tmp_path, BudgetTerms("test", tokens=60), concurrency=1)
        with pytest.raises(UnavailableError, match="60 of 60 tokens for 3 answers"):
            list(client.ask(ask(f"{n}" * 40) for n in range(10)))
        assert len(server.asked) == 3, "40 letters are about 10 tokens, twice"


def test_broken_replies_are_paid_for(tmp_path: Path) -> None:
    with serving(otherwise=Play(raw=b"<html>")) as server:
        client = teacher(server, tmp_path, BudgetTerms("test", money=25e6 / 1e6), retries=9, price_in=1e6)
        with pytest.raises(UnavailableError, match=r"budget\.cost is used up: 30\.0000 of 25"):
            list(client.ask([ask("z" * 40)]))
        assert statuses(tmp_path) == ["broken"] * 3


def test_what_a_dead_process_had_in_flight_holds_nothing(tmp_path: Path) -> None:
    terms = BudgetTerms("test", tokens=100)
    code = "import os; from pathlib import Path; from factory.llm.ledger import *; import sys;"
    code += "Ledger(Path(sys.argv[1]), BudgetTerms('test', tokens=100)).reserve_attempt(99, 0.0); os._exit(9)"
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path / LEDGER_FILE)]).returncode == 9
    ledger = Ledger(tmp_path / LEDGER_FILE, terms)
    first = ledger.reserve_attempt(60, 0.0)
    assert first and ledger.reserve_attempt(60, 0.0) == "" and ledger.reserve_attempt(40, 0.0)
    ledger.record_attempt_end(first, "ok", tokens_in=50, tokens_out=0, cost=0.0)
    assert len([line for line in read_ledger(tmp_path / LEDGER_FILE) if line["status"] == "sent"]) == 3


@pytest.mark.parametrize("clock", [lambda: 9e9, lambda: 1.0, time.time], ids=["ahead", "behind", "right"])
def test_the_verdict_of_a_build_ends_its_bill_whatever_the_clock_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: Callable[[], float]
) -> None:
    terms = BudgetTerms("test", tokens=100, since=clock())
    ledger = Ledger(tmp_path / LEDGER_FILE, terms)
    with monkeypatch.context() as patched:
        patched.setattr("factory.llm.ledger.time.time", clock)
        ledger.record_attempt_end(ledger.record_attempt(), "ok", tokens_in=500, tokens_out=0, cost=0.0)
        ledger.record_verdict()
    ledger.check_budget()
    ledger.record_attempt_end(ledger.record_attempt(), "ok", tokens_in=100, tokens_out=0, cost=0.0)
    with pytest.raises(UnavailableError, match="100 of 100 tokens"):
        ledger.check_budget()
