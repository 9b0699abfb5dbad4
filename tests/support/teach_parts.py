"""A teacher behind a server on this machine, for the tests of what it is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from loopback import Server
from pydantic import BaseModel

from factory.api import ChatRequest, Endpoint, Message
from factory.teach import LEDGER, Desk, Terms, read

TERMS = Terms("test")


class Mood(BaseModel):
    """An answer with a form."""

    mood: Literal["glad", "sad"]
    sure: int


def ask(text: str, **changed: Any) -> ChatRequest:
    return ChatRequest((Message("user", text),), **changed)


def teacher(server: Server, home: Path, terms: Terms = TERMS, **changed: Any) -> Any:
    """The server as a teacher that keeps its answers in a home; a token of a prompt costs 1, one of an answer 2."""
    fields = {"model": "big", "base_url": server.url, "timeout": 5.0, "price_in": 1e6, "price_out": 2e6, **changed}
    return Desk(home, terms, lambda: None).teacher(Endpoint(**fields))  # type: ignore[arg-type, return-value]


def statuses(home: Path) -> list[Any]:
    """How the attempts ended, in order."""
    return [line["status"] for line in read(home / LEDGER) if line["status"] != "sent"]
