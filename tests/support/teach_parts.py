"""A teacher behind a server on this machine, for the tests of what it is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from loopback import Server
from pydantic import BaseModel
from toy_builds import PATIENCE

from factory.api import ChatRequest, Endpoint, Message
from factory.llm import LEDGER_FILE, BudgetTerms, TeacherPool, read_ledger

TERMS = BudgetTerms("test")


class Mood(BaseModel):
    """An answer with a form."""

    mood: Literal["glad", "sad"]
    sure: int


def ask(text: str, **changed: Any) -> ChatRequest:
    return ChatRequest((Message("user", text),), **changed)


def teacher(server: Server, home: Path, terms: BudgetTerms = TERMS, **changed: Any) -> Any:
    """The server as a teacher that keeps its answers in a home; a token of a prompt costs 1, one of an answer 2."""
    fields = {"model": "big", "base_url": server.url, "timeout": PATIENCE, "price_in": 1e6, "price_out": 2e6, **changed}
    return TeacherPool(home, terms, lambda: None).get_teacher(Endpoint(**fields))  # type: ignore[arg-type, return-value]


def statuses(home: Path) -> list[Any]:
    """How the attempts ended, in order."""
    return [line["status"] for line in read_ledger(home / LEDGER_FILE) if line["status"] != "sent"]
