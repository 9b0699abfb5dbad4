"""The ledger of requests and their cost: one line when an attempt is sent, one when it ends, neither with any text.

An attempt without a second line is in flight, or was when its process died; it may have been charged. Under a budget
the first line says what the attempt may cost at most: requests at once must not exceed the budget together.
"""

from __future__ import annotations

import fcntl
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
from factory.store.fsync import append_line, open_append

SENT_STATUS = "sent"
VERDICT_STATUS = "verdict"
"""Status of the line that ends what a build has spent: the order of lines does not depend on clocks."""
ROUNDING_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True)
class BudgetTerms:
    """The limits of a build's requests: `tokens` and `money` (0: no limit) count what `build` has spent since its last
    verdict in the ledger, else after `since` (seconds since the epoch); `replay` allows cached answers only.
    """

    build: str = ""
    tokens: int = 0
    money: float = 0.0
    since: float = 0.0
    replay: bool = False


@dataclass(slots=True)
class BudgetUsage:
    """Tokens, money and answers of a build so far."""

    tokens: int = 0
    money: float = 0.0
    answers: int = 0


@dataclass(frozen=True, slots=True)
class Reservation:
    """What an attempt may cost at most, and the process that sends it."""

    tokens: int
    money: float
    pid: int


class Ledger:
    """The append-only file of attempts, and the usage of one build over all its processes."""

    def __init__(self, path: Path, terms: BudgetTerms) -> None:
        self.path, self.terms = path, terms
        self._lock = threading.Lock()
        self._usage = BudgetUsage()
        self._reservations: dict[str, Reservation] = {}
        self._has_verdict = False
        self._read_offset = 0
        self._file: int | None = None

    def record_attempt(self, **fields: Any) -> str:
        """Append the start of an attempt; return its id."""
        attempt = uuid.uuid4().hex[:16]
        self._append_entry(id=attempt, status=SENT_STATUS, **fields)
        return attempt

    def reserve_attempt(self, tokens: int, money: float, **fields: Any) -> str:
        """Append the start of an attempt that may take so many tokens and so much money; return its id.

        Returns an empty text if there is no room for it beside the attempts in flight: ask again when one has ended. An
        attempt that is alone needs no room, so that a build ends up to one request above its budget. Raises
        UnavailableError when the budget is used up.
        """
        if not (self.terms.tokens or self.terms.money):
            return self.record_attempt(**fields)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.with_suffix(".lock").open("a") as lock:  # other processes reserve from the same budget
            fcntl.flock(lock, fcntl.LOCK_EX)
            self.check_budget()
            in_flight = [each for each in self._reservations.values() if _is_alive(each.pid)]
            all_tokens = self._usage.tokens + tokens + sum(each.tokens for each in in_flight)
            all_money = self._usage.money + money + sum(each.money for each in in_flight)
            is_over = 0 < self.terms.tokens < all_tokens or 0 < self.terms.money < all_money
            if in_flight and is_over:
                return ""
            return self.record_attempt(hold_tokens=tokens, hold_cost=money, pid=os.getpid(), **fields)

    def record_verdict(self) -> None:
        """Append that the build has its verdict: what it asks from now on counts anew."""
        self._append_entry(id="", status=VERDICT_STATUS)

    def record_attempt_end(self, attempt: str, status: str | int, **fields: Any) -> None:
        """Append the end of an attempt."""
        self._append_entry(id=attempt, status=status, **fields)

    def check_budget(self) -> None:
        """Raise UnavailableError, with the amount and the remedy, when the budget is used up."""
        if not (self.terms.tokens or self.terms.money):
            return
        usage = self.compute_budget_usage()
        if self.terms.tokens and usage.tokens >= self.terms.tokens:
            name, amount = "tokens", f"{usage.tokens:,} of {self.terms.tokens:,} tokens"
        elif self.terms.money and usage.money >= self.terms.money * (1 - ROUNDING_TOLERANCE):
            name, amount = "cost", f"{usage.money:.4f} of {self.terms.money:g}"
        else:
            return
        raise UnavailableError(
            f"budget.{name} is used up: {amount} for {usage.answers:,} answer{'s' * (usage.answers != 1)}; "
            f"raise it with --set budget.{name}=… and run again: cached answers are not paid for again"
        )

    def compute_budget_usage(self) -> BudgetUsage:
        """Return what this build has spent so far, interrupted runs included."""
        with self._lock:
            for line in self._read_new_entries():
                if line.get("build") == self.terms.build:
                    self._count_entry(line)
            return self._usage

    def _count_entry(self, line: dict[str, Any]) -> None:
        attempt, status = str(line.get("id", "")), line.get("status")
        if status == VERDICT_STATUS:
            self._usage, self._has_verdict = BudgetUsage(), True
        elif status == SENT_STATUS and "pid" in line:
            held = Reservation(int(line["hold_tokens"]), float(line["hold_cost"]), int(line["pid"]))
            self._reservations[attempt] = held
        elif status != SENT_STATUS:
            self._reservations.pop(attempt, None)
            if self._has_verdict or line.get("at", 0) >= self.terms.since:
                # A negative number would pay for others.
                self._usage.tokens += max(0, int(line.get("tokens_in", 0))) + max(0, int(line.get("tokens_out", 0)))
                self._usage.money += max(0.0, float(line.get("cost", 0)))
                self._usage.answers += status == "ok"

    def _read_new_entries(self) -> Iterator[dict[str, Any]]:
        """Yield the complete lines that any process has appended since the last call."""
        if not self.path.is_file():
            return
        with self.path.open("rb") as file:
            file.seek(self._read_offset)
            for line in file:
                if not line.endswith(b"\n"):
                    return  # still being written by another process: read it next time
                self._read_offset += len(line)
                yield from _parse_ledger_line(line)

    def _append_entry(self, **fields: Any) -> None:
        line = json.dumps({"at": round(time.time(), 3), "build": self.terms.build, **fields}, separators=(",", ":"))
        with self._lock:
            if self._file is None:
                self._file = open_append(self.path)
            # What was paid is on disk before the answer is used; the start of an attempt costs nothing yet.
            append_line(self._file, line.encode(), self.path, sync=fields.get("status") != SENT_STATUS)

    def close(self) -> None:
        """Close the file; the next line opens it again."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def read_ledger(path: Path) -> Iterator[dict[str, Any]]:
    """Yield every line of a ledger; skip incomplete ones."""
    if path.is_file():
        with path.open("rb") as file:
            for line in file:
                yield from _parse_ledger_line(line)


def _is_alive(pid: int) -> bool:
    """Whether a process of this machine runs; what a dead one had in flight holds nothing."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        return True
    return True


def _parse_ledger_line(line: bytes) -> Iterator[dict[str, Any]]:
    try:
        value = json.loads(line)
    except ValueError:
        return
    if isinstance(value, dict):
        yield value
