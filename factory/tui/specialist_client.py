"""Client processes of the Try screen: one per specialist, started on its first question, ended with the screen."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

from factory.errors import FactoryError
from factory.serve.client import SpecialistClient, parse_columns
from factory.views.formatting import format_text_or_json


@dataclass(frozen=True, slots=True)
class Reply:
    """The reply of one specialist so far. `seconds` is 0 until it is complete."""

    name: str
    text: str = ""
    answers: tuple[Mapping[str, Any], ...] = ()
    error: str = ""
    seconds: float = 0.0
    output: Any = None

    @property
    def is_done(self) -> bool:
        """Whether the reply is complete."""
        return self.seconds > 0


@dataclass
class SpecialistPool:
    """Client processes by the label of their specialist."""

    home: Path
    clients: dict[str, SpecialistClient] = field(default_factory=dict)
    locks: dict[str, Lock] = field(default_factory=dict)
    closed: bool = False

    def ask(
        self, name: str, query: str, fields: Mapping[str, Any], on_text: Callable[[str], None] = lambda text: None
    ) -> Reply:
        """Ask one specialist and wait; call it from a thread. Errors are returned in the reply."""
        # One question at a time per specialist: its process reads requests from a single pipe.
        with self.locks.setdefault(name, Lock()):
            started = time.monotonic()
            try:
                result = self._get_client(name).ask(query, (), 10, fields, on_text)
            except (FactoryError, OSError, ValueError) as error:
                # Its process may have died: the next question starts a new one.
                self._close_client(name)
                return Reply(name, error=str(error) or type(error).__name__, seconds=_measure_elapsed(started))
            reply = result.get("reply") or {}
            text, answers = str(reply.get("shown", "")), tuple(result.get("answers") or ())
            return Reply(name, text, answers, "", _measure_elapsed(started), reply.get("output"))

    def _get_client(self, name: str) -> SpecialistClient:
        if self.closed:
            raise FactoryError("the Try screen was closed")
        if name not in self.clients:
            # Entered without `with`: the process outlives this call, until `close`.
            self.clients[name] = SpecialistClient(self.home, name).__enter__()
        return self.clients[name]

    def _close_client(self, name: str) -> None:
        client = self.clients.pop(name, None)
        if client is not None:
            client.__exit__(None, None, None)

    def close(self) -> None:
        """End all processes."""
        self.closed = True
        for name in list(self.clients):
            self._close_client(name)


def _measure_elapsed(started: float) -> float:
    """Return the seconds since `started`, never 0, which would mean an incomplete reply."""
    return max(0.001, time.monotonic() - started)


def parse_fields(text: str) -> dict[str, Any]:
    """Parse `history=["Who was Ada?"]; language=en` into columns. Raises InputError."""
    return parse_columns(part.strip() for part in text.split(";") if part.strip())


def format_fields(fields: Mapping[str, Any]) -> str:
    """Return columns in the form that `parse_fields` reads."""
    return "; ".join(f"{name}={format_text_or_json(value)}" for name, value in fields.items())
