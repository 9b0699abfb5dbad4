"""What experts said, as an append-only file: a line a decision, on the disk before the next row is shown."""

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
from factory.store.fsync import fsync_path

ACCEPT, REJECT, EDIT, SKIP, UNDO = "accept", "reject", "edit", "skip", "undo"
DECIDING_VERDICTS = (ACCEPT, REJECT, EDIT)
"""What decides on a row; a skip only puts it off, and an undo takes the reviewer's last word on it back."""


@dataclass(frozen=True, slots=True)
class ReviewDecision:
    """One reviewer's word on one row. `row` is the digest of its content, `id` what it was called when it was shown.

    `target` holds the columns of the answer as edited; `at` is in seconds since the epoch.
    """

    row: str
    reviewer: str
    verdict: str
    target: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""
    id: str = ""
    at: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """As it stands in the file; what is empty is left out."""
        optional = {"target": dict(self.target), "note": self.note, "id": self.id}
        said = {"row": self.row, "reviewer": self.reviewer, "verdict": self.verdict, "at": round(self.at, 3)}
        return {**said, **{name: value for name, value in optional.items() if value}}


@dataclass(frozen=True, slots=True)
class DecisionLog:
    """All that a file of decisions says, in its order. `torn` counts lines that are no decision."""

    decisions: tuple[ReviewDecision, ...] = ()
    torn_lines: int = 0

    def find_standing_decisions(self) -> dict[str, dict[str, ReviewDecision]]:
        """Row → reviewer → the word that stands: the last one that was not taken back. Skips are among them."""
        stacks: defaultdict[tuple[str, str], list[ReviewDecision]] = defaultdict(list)
        for word in self.decisions:
            stack = stacks[word.row, word.reviewer]
            if word.verdict != UNDO:
                stack.append(word)
            elif stack:
                stack.pop()
        found: dict[str, dict[str, ReviewDecision]] = {}
        for (row, reviewer), stack in stacks.items():
            if stack:
                found.setdefault(row, {})[reviewer] = stack[-1]
        return found

    def select_final_decisions(self) -> dict[str, dict[str, ReviewDecision]]:
        """The standing words that decide: without skips."""
        kept = {
            row: {who: word for who, word in words.items() if word.verdict in DECIDING_VERDICTS}
            for row, words in self.find_standing_decisions().items()
        }
        return {row: words for row, words in kept.items() if words}

    def find_last_decision(self, reviewer: str) -> ReviewDecision | None:
        """A reviewer's newest word that was not taken back; None when there is none."""
        open_words: list[ReviewDecision] = []
        for word in self.decisions:
            if word.reviewer != reviewer:
                continue
            if word.verdict != UNDO:
                open_words.append(word)
                continue
            place = next((i for i in range(len(open_words) - 1, -1, -1) if open_words[i].row == word.row), None)
            if place is not None:
                open_words.pop(place)
        return open_words[-1] if open_words else None

    def compute_decisions_key(self) -> str:
        """A key of what stands: times, notes, skips and the order of lines play no part."""
        rows = sorted(
            [row, who, word.verdict, dict(word.target)]
            for row, words in self.select_final_decisions().items() for who, word in words.items()
        )
        return identity.compute_key(rows)


def read_decisions(path: Path) -> DecisionLog:
    """The decisions of a file; none when it is not there. What can not be read as one is counted, not fatal."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return DecisionLog()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}; data.review.file names a file of decisions") from error
    lines = [line for line in data.split(b"\n") if line.strip()]
    said = [word for word in map(_parse_decision, lines) if word is not None]
    return DecisionLog(tuple(said), len(lines) - len(said))


def append_decisions(path: Path, words: Iterable[ReviewDecision]) -> None:
    """Append words, each whole and synced before the next; a line that a kill tore is ended first."""
    new = not path.exists()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab", buffering=0) as file:
        if file.tell() and _has_torn_end(path):
            file.write(b"\n")
        for word in words:
            stamped = {**word.to_json(), "at": round(word.at or time.time(), 3)}
            file.write(identity.encode_canonical(stamped) + b"\n")
            os.fsync(file.fileno())
    if new:
        fsync_path(path.parent)


def _has_torn_end(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) != b"\n"


def _parse_decision(line: bytes) -> ReviewDecision | None:
    """The word on a line, or None when the line is torn or no word."""
    try:
        value = json.loads(line)
        row, reviewer, verdict = (value[name] for name in ("row", "reviewer", "verdict"))
        target, note, name = (value.get(field, "") for field in ("target", "note", "id"))
        at = float(value.get("at", 0.0))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    named = all(isinstance(text, str) and text for text in (row, reviewer, verdict))
    if not named or verdict not in (*DECIDING_VERDICTS, SKIP, UNDO) or not isinstance(target or {}, dict):
        return None
    return ReviewDecision(row, reviewer, verdict, target or {}, str(note), str(name), at)
