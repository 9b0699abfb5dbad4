"""A frontier model in the ring, behind a real HTTP server on this machine."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from prompted_parts import Moody, Shouting, job, rows
from pydantic import ValidationError

from factory_contenders.endpoint import Endpoint, nearest
from factory_contenders.prompted import Frontier, Prompted

pytest.importorskip("openai")


class Server(ThreadingHTTPServer):
    """Shouts back what it is asked last, at ten tokens a prompt and two an answer; remembers every request."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[dict[str, str], dict[str, Any]]] = []
        self.failing = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append(({name.lower(): value for name, value in self.headers.items()}, body))
        if self.server.failing:
            self.server.failing -= 1
            self.answer(500, {"error": {"message": "not now"}})
            return
        said = body["messages"][-1]["content"].upper()
        self.answer(200, {
            "choices": [{"index": 0, "message": {"role": "assistant", "content": said}}],
            "usage": {"prompt_tokens": 10, "completion_tokens": 2},
        })

    def answer(self, status: int, payload: dict[str, Any]) -> None:
        body = json.dumps(payload).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
        yield running
        running.shutdown()


def endpoint(server: Server, **changed: Any) -> Endpoint:
    return Endpoint(**{"model": "big", "base_url": server.url, "price_in": 3.0, "price_out": 15.0, **changed})


def test_calls_tokens_cost_and_latency_are_counted(server: Server) -> None:
    work = job(Shouting())
    answers = list(Prompted(endpoint=endpoint(server), shots=[0, 2], selection=["fixed"]).answer(work))
    assert [answer.output for answer in answers] == ["OWL", "PIG"]
    assert len(server.asked) == work.facts["calls"] == 2 * 2 + 2
    assert (work.facts["tokens_in"], work.facts["tokens_out"]) == (60, 12)
    assert work.facts["cost"] == pytest.approx((60 * 3 + 12 * 15) / 1e6)
    assert 0 < work.facts["seconds_median"] <= work.facts["seconds_p95"]
    assert work.facts["model"] == "big" and work.facts["arm"] == "zero-shot"


def test_what_is_sent_is_the_chat_greedily_with_the_key(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THE_KEY", "opensesame")
    body = {"max_tokens": None, "max_completion_tokens": 9}
    asked = endpoint(server, key_env="THE_KEY", concurrency=1, body=body)
    list(Prompted(endpoint=asked, shots=[0]).answer(job(Shouting())))
    headers, body = server.asked[-1]
    assert headers["authorization"] == "Bearer opensesame"
    assert body == {
        "model": "big", "temperature": 0, "max_completion_tokens": 9,
        "messages": [{"role": "system", "content": "Shout."}, {"role": "user", "content": "pig"}],
    }


def test_no_key_is_said_before_anything_is_sent(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("THE_KEY", raising=False)
    with pytest.raises(OSError, match="set the environment variable THE_KEY"):
        list(Prompted(endpoint=endpoint(server, key_env="THE_KEY")).answer(job(Shouting())))
    assert server.asked == []


def test_a_passing_failure_is_tried_again_and_a_lasting_one_is_said(server: Server) -> None:
    server.failing = 1
    once = Prompted(endpoint=endpoint(server, retries=1, concurrency=1), shots=[0])
    assert len(list(once.answer(job(Shouting(), validation=[])))) == 2
    server.failing = 99
    with pytest.raises(OSError, match="the endpoint does not answer"):
        list(once.model_copy(update={"endpoint": endpoint(server, retries=0)}).answer(job(Shouting())))


def test_labels_are_the_ones_that_are_named(server: Server) -> None:
    moods = rows("r", ("glad it is", "glad"), ("sad it is", "sad"))
    work = job(Moody(), train=moods, validation=[], rows=rows("t", ("so sad", "sad"), ("glad", "glad")))
    answers = list(Prompted(endpoint=endpoint(server), shots=[0]).answer(work))
    assert [answer.output for answer in answers] == [{"glad": 0.0, "sad": 1.0}, {"glad": 1.0, "sad": 0.0}]


@pytest.mark.parametrize(
    ("said", "meant"),
    [("Card lost.", "card lost"), ("It is: card lost", "card lost"), ("cards lost", "card lost"), ("", "card")],
)
def test_an_answer_is_the_label_nearest_to_it(said: str, meant: str) -> None:
    choices = ["card", "card lost", "pin"]
    assert choices[nearest(said, choices)] == meant


def test_a_frontier_model_stands_beside_the_local_one_and_needs_an_endpoint(server: Server) -> None:
    assert Frontier(endpoint=endpoint(server)).kind != Prompted().kind and Frontier.prompted
    with pytest.raises(ValidationError, match="needs endpoint"):
        Frontier()
