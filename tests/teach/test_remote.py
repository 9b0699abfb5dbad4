"""An endpoint as a teacher: its answers in order, each asked once; and what a bad network does to that."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from loopback import Play, echo, serving
from teach_parts import Mood, ask, statuses, teacher

from factory.errors import UnavailableError
from factory.llm import rate_limit
from factory.llm.concurrency import ConcurrentBatch

pytest.importorskip("openai")


def test_replies_come_in_order_though_answers_do_not(tmp_path: Path) -> None:
    last = Play(echo, hold=lambda server: len(server.asked) == 5)
    with serving(otherwise=lambda body: last if body["messages"][-1]["content"] == "a" else Play(echo)) as server:
        replies = list(teacher(server, tmp_path).ask(ask(text) for text in "abcdef"))
    assert [reply.text for reply in replies] == list("ABCDEF")
    assert [each.text for each in server.asked][-1] == "a" and 1 < server.most_at_once <= 4
    assert replies[0].model == "big" and (replies[0].input_tokens, replies[0].output_tokens) == (10, 2)
    assert replies[0].cost == pytest.approx(14) and len({reply.prompt_digest for reply in replies}) == 6


def test_what_was_asked_is_not_asked_again_and_one_change_is_one_call(tmp_path: Path) -> None:
    with serving() as server:
        first = list(teacher(server, tmp_path).ask(ask(text) for text in ["a", "b", "a", "c"]))
        assert sum(server.served.values()) == 3 and first[0] == first[2]
        again = list(teacher(server, tmp_path).ask(ask(text) for text in ["a", "b", "a", "d"]))
        assert server.served == {"a": 1, "b": 1, "c": 1, "d": 1}
    assert [reply.from_cache for reply in again] == [True, True, True, False]
    assert [reply.text for reply in again] == ["A", "B", "A", "D"] and again[0].cost == first[0].cost


@pytest.mark.parametrize(
    "change", [{"temperature": 0.5}, {"max_tokens": 7}, {"sample_index": 1}, {"schema": Mood}, {"choices": ("X",)}],
    ids=str
)
def test_whatever_an_answer_depends_on_is_another_request(tmp_path: Path, change: dict[str, Any]) -> None:
    with serving(otherwise=Play("X")) as server:
        list(teacher(server, tmp_path).ask([ask("a")]))
        list(teacher(server, tmp_path).ask([ask("a", **change)]))
        assert len(server.asked) >= 2
        body = server.asked[1].body
    assert body["temperature"] == change.get("temperature", 0) and body["max_tokens"] == change.get("max_tokens", 512)


@pytest.mark.parametrize(
    ("trouble", "status"),
    [
        (Play(status=500), 500), (Play(status=503), 503), (Play(status=429), 429), (Play(reset=True), "lost"),
        (Play("half", cut=40), "lost"), (Play(raw=b'{"choices": [{"mess'), "broken"), (Play(raw=b"<html>"), "broken"),
        (Play("slow", drip=0.05), "timeout"), (Play("late", wait=1.5), "timeout"),
    ],
    ids=["500", "503", "429", "reset", "cut off", "truncated JSON", "no JSON", "slow drip", "silence"],
)
def test_what_passes_is_tried_again_and_paid_once(tmp_path: Path, trouble: Play, status: Any) -> None:
    with serving(trouble) as server:
        limit = {"timeout": 0.5, "retries": 9} if status == "timeout" else {}
        (reply,) = teacher(server, tmp_path, **limit).ask([ask("a")])
    assert reply.text == "A" and not reply.error
    first, *more = statuses(tmp_path)
    assert first == status and more[-1] == "ok"
    assert len(more) == 1 or status == "timeout"  # on a busy machine the next reply may be late, too


def test_retry_after_is_honoured_and_holds_everybody_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waits = list_waits(monkeypatch)
    with serving(Play(status=429, headers={"Retry-After": "1"})) as server:
        list(teacher(server, tmp_path, concurrency=1).ask([ask("a"), ask("b")]))
    before_retry, turn_of_a, turn_of_b = (wait for wait in waits if wait)
    assert 1 <= before_retry <= 1.5 and turn_of_a == turn_of_b == 1


def test_a_rate_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waits = list_waits(monkeypatch)
    with serving() as server:
        list(teacher(server, tmp_path, requests_per_second=20.0, concurrency=1).ask(ask(str(n)) for n in range(11)))
    assert [wait for wait in waits if wait] == pytest.approx([0.05 * n for n in range(1, 11)])


def list_waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What every sleep was asked to last, in seconds, by a clock that stands still."""
    waits: list[float] = []
    monkeypatch.setattr(rate_limit, "time", SimpleNamespace(monotonic=lambda: 100.0))
    monkeypatch.setattr(ConcurrentBatch, "sleep", lambda batch, seconds: waits.append(seconds))
    return waits


def test_who_does_not_answer_ends_the_batch_and_what_was_answered_stays(tmp_path: Path) -> None:
    never = lambda body: Play(status=500) if body["messages"][-1]["content"] == "b" else Play(echo)  # noqa: E731
    with serving(otherwise=never) as server:
        with pytest.raises(UnavailableError, match=r"does not answer: 500: not now \(tried 2 times\)"):
            list(teacher(server, tmp_path, retries=1, concurrency=1).ask(ask(text) for text in "abc"))
        server.otherwise = Play(echo)
        list(teacher(server, tmp_path).ask(ask(text) for text in "abc"))
        assert server.served == {"a": 1, "b": 1, "c": 1}
