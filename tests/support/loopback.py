"""A real HTTP server on this machine that speaks as an OpenAI-compatible endpoint, by a script, and keeps a book."""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from toy_builds import PATIENCE

TOKENS = {"prompt_tokens": 10, "completion_tokens": 2}


@dataclass(frozen=True)
class Asked:
    """One request as it came in, and the status with which it left: 0 when it got no whole reply."""

    at: float
    headers: dict[str, str]
    body: dict[str, Any]
    status: int

    @property
    def text(self) -> str:
        """The last message."""
        return str(self.body["messages"][-1]["content"])


@dataclass(frozen=True)
class Play:
    """What to do with one request. `say` answers it; a `status` beside 200 refuses; the rest is how a network fails.

    The reply begins after `wait` seconds, and once `hold` says so of the server; `drip` is in seconds between two of
    its bytes; `cut` is how many bytes are sent of a reply that promises more; `reset` slams the door.
    """

    say: str | Callable[[dict[str, Any]], str] | None = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    wait: float = 0.0
    hold: Callable[[Server], bool] = lambda server: True
    drip: float = 0.0
    cut: int = -1
    reset: bool = False
    raw: bytes | None = None
    finish: str = "stop"
    error: dict[str, Any] = field(default_factory=lambda: {"message": "not now"})
    usage: dict[str, int] = field(default_factory=lambda: dict(TOKENS))


def echo(body: dict[str, Any]) -> str:
    """The last message, loud."""
    return str(body["messages"][-1]["content"]).upper()


class Server(ThreadingHTTPServer):
    """Plays its script, one entry a request in the order of arrival, and what `otherwise` says to the rest.

    `asked` holds every request; `served` counts the whole replies of status 200 by the last message.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, script: Sequence[Play] = (), otherwise: Play | Callable[[dict[str, Any]], Play] = Play(echo)):
        super().__init__(("127.0.0.1", 0), Handler)
        self.script, self.otherwise = list(script), otherwise
        self.asked: list[Asked] = []
        self.at_once = self.most_at_once = 0
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    @property
    def served(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for each in self.asked:
            if each.status == 200:
                found[each.text] = found.get(each.text, 0) + 1
        return found

    def next(self, body: dict[str, Any]) -> Play:
        with self.lock:
            if self.script:
                return self.script.pop(0)
        return self.otherwise if isinstance(self.otherwise, Play) else self.otherwise(body)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that is killed leaves in the middle of a word: nothing to say."""


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.lock:
            self.server.at_once += 1
            self.server.most_at_once = max(self.server.most_at_once, self.server.at_once)
        at, status, play = time.monotonic(), 0, self.server.next(body)
        try:
            status = self.play(play, body)
        finally:
            headers = {name.lower(): value for name, value in self.headers.items()}
            with self.server.lock:
                self.server.at_once -= 1
                self.server.asked.append(Asked(at, headers, body, status))

    def play(self, play: Play, body: dict[str, Any]) -> int:
        time.sleep(play.wait)
        deadline = time.monotonic() + PATIENCE
        while not play.hold(self.server) and time.monotonic() < deadline:
            time.sleep(0.01)
        if play.reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            return 0
        content = play.raw if play.raw is not None else json.dumps(self.reply(play, body)).encode()
        self.send_response(play.status)
        for name, value in {"Content-Type": "application/json", **play.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        sent = content if play.cut < 0 else content[: play.cut]
        for part in [sent[i : i + 1] for i in range(len(sent))] if play.drip else [sent]:
            self.wfile.write(part)
            self.wfile.flush()
            time.sleep(play.drip)
        return play.status if sent == content else 0

    def reply(self, play: Play, body: dict[str, Any]) -> dict[str, Any]:
        if play.status != 200:
            return {"error": play.error}
        text = play.say(body) if callable(play.say) else play.say
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": play.finish}
        return {"id": "the same for all", "choices": [choice], "usage": play.usage}

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


@contextmanager
def serving(*script: Play, otherwise: Play | Callable[[dict[str, Any]], Play] = Play(echo)) -> Iterator[Server]:
    """A server that answers until the block ends."""
    with Server(script, otherwise) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
