"""What was asked and what it cost: one line when a request leaves, one when it is over. No line holds a text.

An attempt that left and has no second line was in flight when its process died: it may have been paid for.
"""

from __future__ import annotations

import json
import os
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from factory.errors import UnavailableError

SENT = "sent"
ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Terms:
    """Under which terms a build may ask: `tokens` and `money` are limits (0: none) on all that was spent for `build`
    after `since`, in seconds since the epoch; `replay` allows what is in the cache alone.
    """

    build: str = ""
    tokens: int = 0
    money: float = 0.0
    since: float = 0.0
    replay: bool = False


@dataclass(slots=True)
class Spent:
    """What was spent."""

    tokens: int = 0
    money: float = 0.0
    answers: int = 0


class Ledger:
    """The append-only file of attempts, and what one build has spent by it, whichever process spent it."""

    def __init__(self, path: Path, terms: Terms) -> None:
        self.path, self.terms = path, terms
        self._lock = threading.Lock()
        self._spent = Spent()
        self._read = 0
        self._file: int | None = None

    def sent(self, **facts: Any) -> str:
        """Write that an attempt leaves; gives its id."""
        attempt = uuid.uuid4().hex[:16]
        self._write(id=attempt, status=SENT, **facts)
        return attempt

    def over(self, attempt: str, status: str | int, **facts: Any) -> None:
        """Write how an attempt ended."""
        self._write(id=attempt, status=status, **facts)

    def check(self) -> None:
        """Raise UnavailableError when the budget is spent, with what was spent and how to go on."""
        if not (self.terms.tokens or self.terms.money):
            return
        spent = self.spent()
        if self.terms.tokens and spent.tokens >= self.terms.tokens:
            raise self._over("tokens", f"{spent.tokens:,} of {self.terms.tokens:,} tokens", spent)
        if self.terms.money and spent.money >= self.terms.money * (1 - ROUNDING):
            raise self._over("money", f"{spent.money:.4f} of {self.terms.money:g}", spent)

    def _over(self, name: str, amount: str, spent: Spent) -> UnavailableError:
        return UnavailableError(
            f"budget.{name} is spent: {amount}, on {spent.answers:,} answers, which are kept; "
            f"raise it, as by --set budget.{name}=…, and run again: nothing is paid twice"
        )

    def spent(self) -> Spent:
        """What this build has spent so far, interrupted runs included."""
        with self._lock:
            for line in self._new_lines():
                if line.get("build") == self.terms.build and line.get("at", 0) >= self.terms.since:
                    self._spent.tokens += int(line.get("tokens_in", 0)) + int(line.get("tokens_out", 0))
                    self._spent.money += float(line.get("cost", 0))
                    self._spent.answers += line.get("status") == "ok"
            return self._spent

    def _new_lines(self) -> Iterator[dict[str, Any]]:
        """The whole lines that were written since the last look, by anybody."""
        try:
            with self.path.open("rb") as file:
                file.seek(self._read)
                for line in file:
                    if not line.endswith(b"\n"):
                        return
                    self._read += len(line)
                    yield from _parsed(line)
        except FileNotFoundError:
            return

    def _write(self, **facts: Any) -> None:
        line = json.dumps({"at": round(time.time(), 3), "build": self.terms.build, **facts}, separators=(",", ":"))
        with self._lock:
            os.write(self._opened(), line.encode() + b"\n")

    def _opened(self) -> int:
        if self._file is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
            size = os.fstat(self._file).st_size
            if size and os.pread(self._file, 1, size - 1) != b"\n":
                os.write(self._file, b"\n")  # a disk that was full has torn the last line
        return self._file

    def close(self) -> None:
        """Close the file; the next line opens it again."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def read(path: Path) -> Iterator[dict[str, Any]]:
    """Every line of a ledger; a torn one is passed over."""
    if path.is_file():
        with path.open("rb") as file:
            for line in file:
                yield from _parsed(line)


def _parsed(line: bytes) -> Iterator[dict[str, Any]]:
    try:
        value = json.loads(line)
    except ValueError:
        return
    if isinstance(value, dict):
        yield value
