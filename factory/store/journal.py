"""A run as an append-only file of events. One process writes it; any number read it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from factory.events import Event, Progress, RunFinished, RunStarted, from_json, to_json

JOURNAL_FILE = "journal.jsonl"
FREQUENT_EVENT_TYPES = (b'"Progress"', b'"Measured"')
TYPE_PREFIX_BYTES = 64
"""Bytes of a line within which its type stands."""
FINAL_STAGE = "certify"
"""The stage that every whole plan ends with."""


class Journal:
    """The writing end. A line is whole or it is not there: each is one `write` to a file opened for appending."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._file: IO[bytes] = path.open("ab", buffering=0)

    def write(self, event: Event) -> float:
        """Append an event; returns its time, in seconds since the epoch. Progress is not worth a sync, the rest is."""
        at = time.time()
        line = json.dumps({"at": round(at, 3), **to_json(event)}, ensure_ascii=False, separators=(",", ":"))
        self._file.write(line.encode() + b"\n")
        if not isinstance(event, Progress):
            os.fdatasync(self._file.fileno())
        return at

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


def read_events(path: Path, *, brief: bool = False) -> Iterator[tuple[float, Event]]:
    """Every event with its time. A torn last line, or a line that is no event, is passed over.

    Nearly all lines of a long run are progress and measurements: a `brief` look passes them over unread.
    """
    with path.open("rb") as file:
        for line in file:
            if brief and any(kind in line[:TYPE_PREFIX_BYTES] for kind in FREQUENT_EVENT_TYPES):
                continue
            parsed = parse_event_line(line)
            if parsed is not None:
                yield parsed


def parse_event_line(line: bytes) -> tuple[float, Event] | None:
    """The event on one line, or None when the line is torn or no event."""
    try:
        payload = json.loads(line)
        return float(payload["at"]), from_json(payload)
    except (ValueError, KeyError, TypeError):
        return None


def list_journals(home: Path) -> list[Path]:
    """The journals of all runs, oldest first: by the second in a run's id, then by the part of it that stands last."""
    return sorted((home / "runs").glob(f"*/{JOURNAL_FILE}"), key=lambda path: _compute_run_sort_key(path.parent.name))


def _compute_run_sort_key(run: str) -> tuple[str, ...]:
    return (*run.split("-")[:2], run.rpartition("-")[2], run)


def _read_events_if_present(path: Path) -> Iterator[tuple[float, Event]]:
    """The events of a journal, or none when it vanished meanwhile."""
    try:
        yield from read_events(path)
    except OSError:
        return


def find_last_plan(home: Path, name: str) -> dict[str, dict[str, Any]]:
    """What was planned for a specialist last, by stage name; empty when nothing was.

    A run that made rows alone, or gave advice, did not plan the rest: that is looked for in the runs before it.
    """
    found: dict[str, dict[str, Any]] = {}
    for started in _iter_run_starts(home, name):
        found = {stage["name"]: stage for stage in started.plan} | found
        if any(stage["name"] == FINAL_STAGE for stage in started.plan):
            break
    return found


def find_last_verdict_time(home: Path, name: str) -> float:
    """When the newest run of a specialist that came to a verdict ended, in seconds since the epoch; 0 for never."""
    for path in reversed(list_journals(home)):
        events = list(_read_events_if_present(path))
        if events and isinstance(events[0][1], RunStarted) and events[0][1].name == name:
            at, last = events[-1]
            if isinstance(last, RunFinished) and last.verdict:
                return at
    return 0.0


def find_last_run_start(home: Path, name: str) -> RunStarted | None:
    """How the newest run of a specialist began; None when there was none."""
    return next(_iter_run_starts(home, name), None)


def _iter_run_starts(home: Path, name: str) -> Iterator[RunStarted]:
    """How the runs of a specialist began, newest first."""
    for path in reversed(list_journals(home)):
        first = next((event for _, event in _read_events_if_present(path)), None)
        if isinstance(first, RunStarted) and first.name == name:
            yield first
