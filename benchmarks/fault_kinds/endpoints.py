"""Faults of an endpoint: a real server on this machine that answers with broken, poisoned, late or partial replies."""

from __future__ import annotations

import gzip
import json
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from loopback import Play, Server, echo
from teach_parts import ask, teacher

from factory.errors import UnavailableError
from factory.llm import LEDGER_FILE, RESPONSES_FOLDER, BudgetTerms, read_ledger, retries
from fault_kinds.fault import Fault, Observation, Outcome
from fault_kinds.isolated import observe, run_forked

SECRET = "sk-opensesame-1234567890"
BOMB = gzip.compress(bytes(20 << 20), mtime=0)
PER_REQUEST = 12
"""Tokens that the server counts for a request."""


def reply_with(content: Any, **changed: Any) -> Play:
    """Return a reply whose message is `content`, written as JSON with whatever else is changed."""
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": content}}
    body = {"id": "x", "object": "chat.completion", "created": 1, "model": "big", **changed}
    return Play(raw=json.dumps({"choices": [choice], **body}).encode())


PLAYS: dict[str, Callable[[random.Random], Play]] = {
    "429": lambda draw: Play(status=429, headers={"Retry-After": draw.choice(["0", "0.01", "soon", "-1", "nan"])}),
    "5xx": lambda draw: Play(status=draw.choice([500, 502, 503, 504, 529])),
    "400": lambda draw: Play(status=draw.choice([400, 413, 422])),
    "redirect": lambda draw: Play(status=draw.choice([301, 307]), headers={"Location": "http://127.0.0.1:9/"}),
    "cut": lambda draw: Play(echo, cut=draw.randrange(0, 150)),
    "reset": lambda _: Play(reset=True),
    "slow": lambda _: Play(echo, wait=0.7),
    "html": lambda _: Play(raw=b"<html>Bad gateway</html>"),
    "empty": lambda _: Play(raw=b""),
    "not an object": lambda draw: Play(raw=draw.choice([b"null", b"[]", b"7", b'"text"', b"{}", b'{"choices": []}'])),
    "nested": lambda _: Play(raw=b"[" * 200_000),
    "bomb": lambda _: Play(raw=BOMB, headers={"Content-Encoding": "gzip"}),
    "large": lambda _: Play(raw=b" " * (9 << 20)),
    "not UTF-8": lambda _: Play(raw=b'{"choices": [{"message": {"content": "\xff\xfe"}}]}'),
    "half a character": lambda _: Play(raw=reply_with("HALF").raw.replace(b"HALF", b"\\ud800")),  # type: ignore[union-attr]
    "no text": lambda draw: reply_with(draw.choice([None, 7, [], {"a": 1}, True])),
    "another model": lambda _: reply_with("POISON", model="another-model"),
    "second choice": lambda _: reply_with("x", choices=[{"index": 1, "message": {"content": "POISON"}}]),
    "a secret": lambda draw: reply_with(draw.choice([SECRET, SECRET[::-1], " ".join(SECRET), f"so: {SECRET}"])),
    "cut off": lambda _: Play(echo, finish="length"),
    "filtered": lambda _: Play(echo, finish="content_filter"),
    "odd usage": lambda draw: Play(echo, usage=draw.choice([
        {}, {"prompt_tokens": -900, "completion_tokens": -900}, {"prompt_tokens": 10**40}, {"prompt_tokens": "x"},
    ])),
    "an error as 200": lambda _: Play(raw=b'{"error": {"message": "overloaded"}}'),
}


def inject_endpoint_fault(fault: Fault) -> Observation:
    """Ask a few questions of an endpoint that follows a script of faults, then the same ones again."""
    draw = fault.create_random()
    names = [draw.choice([*PLAYS, *["good"] * 12]) for _ in range(draw.randrange(4, 14))]
    tokens = draw.choice([0, 0, 40, 100])
    settings = {"concurrency": draw.choice([1, 2, 8]), "retries": draw.choice([0, 1, 3]), "timeout": 0.4}
    texts = [f"question {n}" for n in range(draw.randrange(3, 9))]
    script = [Play(echo) if name == "good" else PLAYS[name](draw) for name in names]
    home = fault.folder / "home"
    run = run_forked(lambda: ask_twice(script, texts, home, tokens, settings), fault.folder, home)
    what = f"{', '.join(names)}; {len(texts)} questions, budget {tokens}, {settings['concurrency']} at once"
    failure = run.find_failure() or next(iter(map(parse_failure, run.value["failures"])), None)
    return observe(what, "refused, in part" if run.value and run.value["bad"] else "survived", failure)


def parse_failure(line: str) -> tuple[str, Outcome]:
    """Return the text and the outcome of a line `OUTCOME: TEXT`."""
    outcome, _, text = line.partition(": ")
    return text, Outcome(outcome)


def ask_twice(
    script: list[Play], texts: list[str], home: Path, tokens: int, settings: dict[str, Any]
) -> dict[str, Any]:
    """Ask a server with faults under a budget, then one without; returns what was wrong, and how many failed."""
    os.environ["THE_KEY"] = SECRET
    retries.compute_backoff = lambda tries, retry_after: 0.0  # type: ignore[assignment]
    with Server(script) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        fields = {**settings, "key_env": "THE_KEY"}
        bad, failures = ask_all(server, texts, home, BudgetTerms("test", tokens=tokens), fields)
        known = [path.stem for path in (home / RESPONSES_FOLDER).glob("*/*.json")]
        lines = list(read_ledger(home / LEDGER_FILE))
        spent = sum(line.get("tokens_in", 0) + line.get("tokens_out", 0) for line in lines)
        # At most one request over; a broken reply is booked with an estimate below what the server counts.
        if tokens and spent >= tokens + PER_REQUEST and not has_odd_usage(script):
            failures.append(f"wrong_result: {spent} tokens were spent of {tokens}")
        paid = Counter(line["key"] for line in lines if line["status"] == "ok")
        if sorted(paid) != sorted(known):
            failures.append(f"lost_work: {len(paid)} answers were paid, and {len(known)} are kept")
        server.script.clear()
        start = time.monotonic()  # a late reply to a request of before is no new request
        bad_again, more = ask_all(server, texts, home, BudgetTerms("test"), {**fields, "timeout": 10.0})
        failures += more + (["wrong_result: a good server's replies fail"] if bad_again else [])
        asked = sum(request.at > start for request in server.asked)
        if asked != len(texts) - len(known):
            failures.append(f"lost_work: {asked} asked again, {len(known)} of {len(texts)} known")
    kept = b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())
    if SECRET.encode() in kept or b"POISON" in kept:
        failures.append("wrong_result: a secret or a poisoned reply was kept")
    return {"failures": failures, "bad": bad}


def has_odd_usage(script: list[Play]) -> bool:
    """Whether a reply says another number of tokens than the others."""
    return any(play.usage.get("prompt_tokens") != 10 for play in script)


def ask_all(
    server: Server, texts: list[str], home: Path, terms: BudgetTerms, fields: dict[str, Any]
) -> tuple[int, list[str]]:
    """Return how many replies failed, and what is wrong with those that did not."""
    failures, bad, answered = [], 0, 0
    client = teacher(server, home, terms, **fields)
    try:
        for text, reply in zip(texts, client.ask(map(ask, texts)), strict=True):
            answered += 1
            bad += bool(reply.error)
            if not reply.error and reply.text != text.upper():
                failures.append(f"wrong_result: {text!r} was answered by {reply.text!r}")
    except UnavailableError as error:
        bad += len(texts) - answered
        if "\n" in str(error) or SECRET in str(error):
            failures.append(f"wrong_result: the message is {error}")
    client.close()
    return bad, failures
