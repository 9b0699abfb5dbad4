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

SENT_STATUS = "sent"
ROUNDING_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True)
class BudgetTerms:
    """Under which terms a build may ask: `tokens` and `money` are limits (0: none) on all that was spent for `build`
    after `since`, in seconds since the epoch; `replay` allows what is in the cache alone.
    """

    build: str = ""
    tokens: int = 0
    money: float = 0.0
    since: float = 0.0
    replay: bool = False


@dataclass(slots=True)
class BudgetUsage:
    """What was spent."""

    tokens: int = 0
    money: float = 0.0
    answers: int = 0


class Ledger:
    """The append-only file of attempts, and what one build has spent by it, whichever process spent it."""

    def __init__(self, path: Path, terms: BudgetTerms) -> None:
        self.path, self.terms = path, terms
        self._lock = threading.Lock()
        self._usage = BudgetUsage()
        self._read_offset = 0
        self._file: int | None = None

    def record_attempt(self, **facts: Any) -> str:
        """Write that an attempt leaves; gives its id."""
        attempt = uuid.uuid4().hex[:16]
        self._append_entry(id=attempt, status=SENT_STATUS, **facts)
        return attempt

    def record_attempt_end(self, attempt: str, status: str | int, **facts: Any) -> None:
        """Write how an attempt ended."""
        self._append_entry(id=attempt, status=status, **facts)

    def check_budget(self) -> None:
        """Raise UnavailableError when the budget is spent, with what was spent and how to go on."""
        if not (self.terms.tokens or self.terms.money):
            return
        spent = self.compute_budget_usage()
        if self.terms.tokens and spent.tokens >= self.terms.tokens:
            raise self._build_budget_error("tokens", f"{spent.tokens:,} of {self.terms.tokens:,} tokens", spent)
        if self.terms.money and spent.money >= self.terms.money * (1 - ROUNDING_TOLERANCE):
            raise self._build_budget_error("money", f"{spent.money:.4f} of {self.terms.money:g}", spent)

    def _build_budget_error(self, name: str, amount: str, spent: BudgetUsage) -> UnavailableError:
        return UnavailableError(
            f"budget.{name} is spent: {amount}, on {spent.answers:,} answers, which are kept; "
            f"raise it, as by --set budget.{name}=…, and run again: nothing is paid twice"
        )

    def compute_budget_usage(self) -> BudgetUsage:
        """What this build has spent so far, interrupted runs included."""
        with self._lock:
            for line in self._read_new_entries():
                if line.get("build") == self.terms.build and line.get("at", 0) >= self.terms.since:
                    self._usage.tokens += int(line.get("tokens_in", 0)) + int(line.get("tokens_out", 0))
                    self._usage.money += float(line.get("cost", 0))
                    self._usage.answers += line.get("status") == "ok"
            return self._usage

    def _read_new_entries(self) -> Iterator[dict[str, Any]]:
        """The whole lines that were written since the last look, by anybody."""
        try:
            with self.path.open("rb") as file:
                file.seek(self._read_offset)
                for line in file:
                    if not line.endswith(b"\n"):
                        return
                    self._read_offset += len(line)
                    yield from _parse_ledger_line(line)
        except FileNotFoundError:
            return

    def _append_entry(self, **facts: Any) -> None:
        line = json.dumps({"at": round(time.time(), 3), "build": self.terms.build, **facts}, separators=(",", ":"))
        with self._lock:
            os.write(self._open_ledger_file(), line.encode() + b"\n")

    def _open_ledger_file(self) -> int:
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


def read_ledger(path: Path) -> Iterator[dict[str, Any]]:
    """Every line of a ledger; a torn one is passed over."""
    if path.is_file():
        with path.open("rb") as file:
            for line in file:
                yield from _parse_ledger_line(line)


def _parse_ledger_line(line: bytes) -> Iterator[dict[str, Any]]:
    try:
        value = json.loads(line)
    except ValueError:
        return
    if isinstance(value, dict):
        yield value
