"""Review decisions of experts in an append-only JSONL file; each line is on disk before the next row is shown."""

from __future__ import annotations

import json
import os
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from factory import identity
from factory.errors import InputError
from factory.store.fsync import append_line, fsync_path, open_append

ACCEPT, REJECT, EDIT, SKIP, UNDO = "accept", "reject", "edit", "skip", "undo"
DECIDING_VERDICTS = (ACCEPT, REJECT, EDIT)
"""Verdicts that decide on a row; a skip postpones it, an undo takes back the reviewer's last decision on it."""


@dataclass(frozen=True, slots=True)
class ReviewDecision:
    """One reviewer's decision on one row. `row` is the digest of its content, `id` its id at the time of the review.

    `target` holds the edited columns of the answer; `at` is in seconds since the epoch.
    """

    row: str
    reviewer: str
    verdict: str
    target: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""
    id: str = ""
    at: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """Return the decision as a line of the file; empty optional fields are left out."""
        optional = {"target": dict(self.target), "note": self.note, "id": self.id}
        required = {"row": self.row, "reviewer": self.reviewer, "verdict": self.verdict, "at": round(self.at, 3)}
        return {**required, **{name: value for name, value in optional.items() if value}}


@dataclass(frozen=True, slots=True)
class DecisionLog:
    """The decisions of a file in order; `torn_lines` counts lines that are not a decision."""

    decisions: tuple[ReviewDecision, ...] = ()
    torn_lines: int = 0

    def find_standing_decisions(self) -> dict[str, dict[str, ReviewDecision]]:
        """Return row → reviewer → the last decision that was not undone, including skips."""
        stacks: defaultdict[tuple[str, str], list[ReviewDecision]] = defaultdict(list)
        for decision in self.decisions:
            stack = stacks[decision.row, decision.reviewer]
            if decision.verdict != UNDO:
                stack.append(decision)
            elif stack:
                stack.pop()
        standing: dict[str, dict[str, ReviewDecision]] = {}
        for (row, reviewer), stack in stacks.items():
            if stack:
                standing.setdefault(row, {})[reviewer] = stack[-1]
        return standing

    def select_final_decisions(self) -> dict[str, dict[str, ReviewDecision]]:
        """Return the standing decisions without skips."""
        final = {
            row: {reviewer: last for reviewer, last in decisions.items() if last.verdict in DECIDING_VERDICTS}
            for row, decisions in self.find_standing_decisions().items()
        }
        return {row: decisions for row, decisions in final.items() if decisions}

    def find_last_decision(self, reviewer: str) -> ReviewDecision | None:
        """Return a reviewer's newest decision that was not undone, or None."""
        standing: list[ReviewDecision] = []
        for decision in self.decisions:
            if decision.reviewer != reviewer:
                continue
            if decision.verdict != UNDO:
                standing.append(decision)
                continue
            # An undo removes the newest decision on its row, which need not be the newest of all.
            index = next((i for i in range(len(standing) - 1, -1, -1) if standing[i].row == decision.row), None)
            if index is not None:
                standing.pop(index)
        return standing[-1] if standing else None

    def compute_decisions_key(self) -> str:
        """Return a key of the final decisions; times, notes, skips and the order of lines do not matter."""
        rows = sorted(
            [row, reviewer, decision.verdict, dict(decision.target)]
            for row, decisions in self.select_final_decisions().items() for reviewer, decision in decisions.items()
        )
        return identity.compute_key(rows)


def read_decisions(path: Path) -> DecisionLog:
    """Read a file of decisions, which need not exist; unreadable lines are counted, not fatal."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return DecisionLog()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}; data.review.file must be a file of decisions") from error
    lines = [line for line in data.split(b"\n") if line.strip()]
    decisions = [decision for decision in map(_parse_decision, lines) if decision is not None]
    return DecisionLog(tuple(decisions), len(lines) - len(decisions))


def append_decisions(path: Path, decisions: Iterable[ReviewDecision]) -> None:
    """Append decisions, each written whole and synced before the next. Raises OSError for one that is not.

    Raises InputError for a file that holds anything else: a spec names the file, and may name the wrong one.
    """
    _require_decisions_file(path)
    new = not path.exists()
    handle = open_append(path, mode=0o666)
    try:
        for decision in decisions:
            stamped = {**decision.to_json(), "at": round(decision.at or time.time(), 3)}
            append_line(handle, identity.encode_canonical(stamped), path)
    finally:
        os.close(handle)
    if new:
        fsync_path(path.parent)


def _require_decisions_file(path: Path) -> None:
    """Raise InputError unless a file is missing, or has nothing but decisions and incomplete lines of them."""
    if not os.path.lexists(path):
        return
    if not path.is_file():
        raise InputError(f"{path}: not a regular file; data.review.file must be a file of decisions")
    for number, line in enumerate(path.read_bytes().split(b"\n"), 1):
        if line.strip() and _parse_decision(line) is None and not _is_torn_line(line):
            raise InputError(f"{path}:{number}: not a decision, so nothing is written here; choose another file")


def _is_torn_line(line: bytes) -> bool:
    """Whether a line is the incomplete start of a JSON object, as a kill or a full disk leaves it."""
    try:
        json.loads(line)
    except ValueError:
        return line.startswith(b'{"')
    return False


def _parse_decision(line: bytes) -> ReviewDecision | None:
    """Parse a line; None if it is incomplete or not a decision."""
    try:
        value = json.loads(line)
        row, reviewer, verdict = (value[name] for name in ("row", "reviewer", "verdict"))
        target, note, name = (value.get(field, "") for field in ("target", "note", "id"))
        at = float(value.get("at", 0.0))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    complete = all(isinstance(text, str) and text for text in (row, reviewer, verdict))
    if not complete or verdict not in (*DECIDING_VERDICTS, SKIP, UNDO) or not isinstance(target or {}, dict):
        return None
    return ReviewDecision(row, reviewer, verdict, target or {}, str(note), str(name), at)
