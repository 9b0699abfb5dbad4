"""The cache of answers and the ledger, under threads, processes and broken files."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from loopback import Play, echo, serving
from places import SUPPORT
from teach_parts import ask, statuses, teacher
from toy_builds import PATIENCE

from factory.errors import UnavailableError
from factory.llm import LEDGER_FILE, RESPONSES_FOLDER, BudgetTerms, read_ledger
from factory.llm.ledger import Ledger
from factory.llm.rate_limit import FIRST_BACKOFF, MAX_BACKOFF, compute_backoff, parse_retry_after
from factory.llm.response_cache import ResponseCache

KEY = "ab" * 16

ASKING = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from teach_parts import ask
from factory.api import Endpoint
from factory.llm import BudgetTerms, TeacherPool
desk = TeacherPool(Path({home!r}), BudgetTerms("test"), lambda: None)
teacher = desk.get_teacher(Endpoint(model="big", base_url={url!r}, price_in=1e6, price_out=2e6))
print([reply.text for reply in teacher.ask(ask(str(n)) for n in range(12))])
"""


def test_two_processes_that_ask_the_same_pay_once(tmp_path: Path) -> None:
    pytest.importorskip("openai")
    with serving(otherwise=Play(echo, wait=0.1)) as server:
        code = ASKING.format(tests=str(SUPPORT), home=str(tmp_path), url=server.url)
        both = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(2)]
        said = [each.communicate(timeout=PATIENCE)[0] for each in both]
        assert said[0] == said[1] and "'11'" in said[0]
        assert server.served == {str(n): 1 for n in range(12)}


def test_a_damaged_answer_is_asked_again(tmp_path: Path) -> None:
    pytest.importorskip("openai")
    with serving() as server:
        list(teacher(server, tmp_path).ask([ask("a")]))
        (place,) = (tmp_path / RESPONSES_FOLDER).glob("*/*.json")
        for damage in (b"", b"{", b"[]", b'{"text": 3}', json.dumps({"text": "A"}).encode()):
            place.write_bytes(damage)
            assert next(iter(teacher(server, tmp_path).ask([ask("a")]))).text == "A"
        assert len(server.asked) == 6


def test_what_holds_a_request_lets_go_of_it(tmp_path: Path) -> None:
    calls, order = ResponseCache(tmp_path), []

    def hold(name: str) -> None:
        with calls.lock_request(KEY):
            order.append(f"{name} in")
            order.append(f"{name} out")

    threads = [threading.Thread(target=hold, args=(str(n),)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert [step[2:] for step in order] == ["in", "out"] * 8


def test_a_budget_counts_what_any_process_spent_for_its_build_since_its_beginning(tmp_path: Path) -> None:
    mine, other = (Ledger(tmp_path / LEDGER_FILE, BudgetTerms(name, tokens=30)) for name in ("mine", "other"))
    for ledger, tokens in ((mine, 20), (other, 500)):
        ledger.record_attempt_end(ledger.record_attempt(key=KEY), "ok", tokens_in=tokens, tokens_out=0, cost=0.0)
    mine.check_budget()
    second = Ledger(tmp_path / LEDGER_FILE, BudgetTerms("mine", tokens=30))
    second.record_attempt_end(second.record_attempt(key=KEY), "invalid", tokens_in=5, tokens_out=5, cost=0.0)
    with pytest.raises(UnavailableError, match=r"budget\.tokens is used up: 30 of 30 tokens for 1 answer;"):
        mine.check_budget()
    Ledger(tmp_path / LEDGER_FILE, BudgetTerms("mine", tokens=30, since=9e12)).check_budget()


def test_a_torn_line_harms_no_other(tmp_path: Path) -> None:
    (tmp_path / LEDGER_FILE).parent.mkdir(parents=True)
    (tmp_path / LEDGER_FILE).write_text('{"at": 1, "status": "ok"}\n{"at": 2, "sta')
    ledger = Ledger(tmp_path / LEDGER_FILE, BudgetTerms("mine"))
    ledger.record_attempt_end(ledger.record_attempt(key=KEY), "ok", tokens_in=1, tokens_out=1, cost=0.0)
    assert statuses(tmp_path) == ["ok", "ok"]
    assert not [line for line in read_ledger(tmp_path / LEDGER_FILE) if {"text", "messages", "content"} & set(line)]


def test_waits_grow_with_jitter_and_keep_what_the_server_asks() -> None:
    waits = [[compute_backoff(tries, None) for _ in range(200)] for tries in (1, 3, 20)]
    assert [
        max(each) <= most for each, most in zip(waits, (FIRST_BACKOFF, 4 * FIRST_BACKOFF, MAX_BACKOFF), strict=True)
    ] == [True] * 3
    assert min(waits[2]) < MAX_BACKOFF / 4 < MAX_BACKOFF / 2 < max(waits[2])
    assert all(5 <= compute_backoff(9, 5.0) <= 5 + FIRST_BACKOFF for _ in range(50))
    assert parse_retry_after({"retry-after": "2.5"}) == 2.5 and parse_retry_after({"retry-after-ms": "40"}) == 0.04
    assert parse_retry_after({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}) == 0.0
    assert parse_retry_after({}) is parse_retry_after(
        {"retry-after": "soon"}
    ) is parse_retry_after({"retry-after": "nan"}) is None
