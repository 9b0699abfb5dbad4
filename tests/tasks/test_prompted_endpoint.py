"""A frontier model in the ring, behind a real HTTP server on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from loopback import Play, Server, serving
from prompted_parts import Moody, Shouting, rows
from prompted_parts import job as prompted_job
from pydantic import ValidationError

from factory.api import AnswerJob, Endpoint, Task
from factory.errors import UnavailableError
from factory.llm import BudgetTerms, TeacherPool
from factory_contenders.endpoint_backend import match_choice
from factory_contenders.prompted import Frontier, Prompted

pytest.importorskip("openai")


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as running:
        yield running


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def job(task: Task, home: Path, **changed: Any) -> AnswerJob:
    """A job whose endpoints keep their answers in a home."""
    desk = TeacherPool(home, BudgetTerms("test"), lambda: None)  # type: ignore[arg-type, return-value]
    return prompted_job(task, teacher_factory=desk.get_teacher, **changed)


def endpoint(server: Server, **changed: Any) -> Endpoint:
    return Endpoint(**{"model": "big", "base_url": server.url, "price_in": 3.0, "price_out": 15.0, **changed})


def test_calls_tokens_cost_and_latency_are_counted(server: Server, home: Path) -> None:
    work = job(Shouting(), home)
    answers = list(Prompted(endpoint=endpoint(server), shots=[0, 2], selection=["fixed"]).answer(work))
    assert [answer.output for answer in answers] == ["OWL", "PIG"]
    assert len(server.asked) == work.facts["calls"] == 2 * 2 + 2
    assert (work.facts["tokens_in"], work.facts["tokens_out"]) == (60, 12)
    assert work.facts["cost"] == pytest.approx((60 * 3 + 12 * 15) / 1e6)
    assert 0 < work.facts["seconds_median"] <= work.facts["seconds_p95"]
    assert work.facts["model"] == "big" and work.facts["arm"] == "zero-shot"


def test_what_is_sent_is_the_chat_greedily_with_the_key(
    server: Server, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THE_KEY", "opensesame")
    body = {"max_tokens": None, "max_completion_tokens": 9}
    asked = endpoint(server, key_env="THE_KEY", concurrency=1, extra_body=body)
    list(Prompted(endpoint=asked, shots=[0]).answer(job(Shouting(), home)))
    assert server.asked[-1].headers["authorization"] == "Bearer opensesame"
    assert server.asked[-1].body == {
        "model": "big", "temperature": 0, "max_completion_tokens": 9,
        "messages": [{"role": "system", "content": "Shout."}, {"role": "user", "content": "pig"}],
    }


def test_no_key_is_said_before_anything_is_sent(server: Server, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("THE_KEY", raising=False)
    with pytest.raises(UnavailableError, match="set the environment variable THE_KEY"):
        list(Prompted(endpoint=endpoint(server, key_env="THE_KEY")).answer(job(Shouting(), home)))
    assert server.asked == []


def test_answers_are_paid_once_whatever_happens_in_between(server: Server, home: Path) -> None:
    server.script = [Play(status=500)]
    one = Prompted(endpoint=endpoint(server, retries=1, concurrency=1), shots=[0])
    first = job(Shouting(), home, validation=[])
    answers = list(one.answer(first))
    server.otherwise = Play(status=500)
    again = job(Shouting(), home, validation=[])
    assert list(one.answer(again)) == answers and len(server.asked) == 3
    assert again.facts == first.facts and again.facts["cost"] > 0 and again.facts["seconds_median"] > 0
    with pytest.raises(UnavailableError, match="does not answer: 500: not now"):
        list(one.answer(job(Shouting(), home, rows=rows("t", ("ewe", "EWE")), validation=[])))


def test_labels_are_the_ones_that_are_named(server: Server, home: Path) -> None:
    moods = rows("r", ("glad it is", "glad"), ("sad it is", "sad"))
    work = job(Moody(), home, train=moods, validation=[], rows=rows("t", ("so sad", "sad"), ("glad", "glad")))
    answers = list(Prompted(endpoint=endpoint(server), shots=[0]).answer(work))
    assert [answer.output for answer in answers] == [{"glad": 0.0, "sad": 1.0}, {"glad": 1.0, "sad": 0.0}]


@pytest.mark.parametrize(
    ("said", "meant"),
    [("Card lost.", "card lost"), ("It is: card lost", "card lost"), ("cards lost", "card lost"), ("", "card")],
)
def test_an_answer_is_the_label_nearest_to_it(said: str, meant: str) -> None:
    choices = ["card", "card lost", "pin"]
    assert choices[match_choice(said, choices)] == meant


def test_a_frontier_model_stands_beside_the_local_one_and_needs_an_endpoint(server: Server, home: Path) -> None:
    assert Frontier(endpoint=endpoint(server)).kind != Prompted().kind and Frontier.is_prompt_only
    with pytest.raises(ValidationError, match="set `endpoint: "):
        Frontier()
