"""The journal of a run: an append-only file of events with one writer and any number of readers."""

from __future__ import annotations

import json
import os
import stat
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from factory.events import EVENT_VERSION, Event, Progress, RunFinished, RunStarted, from_json, to_json
from factory.store.fsync import append_line, open_append

JOURNAL_FILE = "journal.jsonl"
FREQUENT_EVENT_TYPES = (b'"Progress"', b'"Measured"')
OUR_VERSION = (f'"v":{EVENT_VERSION},'.encode(), f'"v": {EVENT_VERSION},'.encode())
"""How this version of the factory, and other JSON writers, spell the version field of an event."""
TYPE_PREFIX_BYTES = 64
"""The event type is within these first bytes of a line."""
MAX_TIME = 2.0**36
"""Seconds since the epoch: in the year 4147."""
FINAL_STAGE = "certify"
"""The last stage of every complete plan."""


class Journal:
    """The writer of a journal. A line is written whole, or an error is raised."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._handle = open_append(path)

    def write(self, event: Event) -> float:
        """Append an event and return its time in seconds since the epoch. Raises OSError if it is not on disk whole."""
        at = time.time()
        line = json.dumps(
            {"at": round(at, 3), **to_json(event)}, ensure_ascii=False, separators=(",", ":"), allow_nan=False
        )
        # Progress is frequent, and losing it in a crash does no harm.
        append_line(self._handle, line.encode(), self.path, sync=not isinstance(event, Progress))
        return at

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._handle)


def read_events(path: Path, *, brief: bool = False) -> Iterator[tuple[float, Event]]:
    """Yield every event with its time, skipping incomplete and invalid lines; `brief` skips progress and metrics."""
    with path.open("rb") as file:
        for line in file:
            # Nearly all lines of a long run are progress and metrics: skip them without parsing.
            if brief and any(kind in line[:TYPE_PREFIX_BYTES] for kind in FREQUENT_EVENT_TYPES):
                continue
            if (parsed := parse_event_line(line)) is not None:
                yield parsed


def parse_event_line(line: bytes) -> tuple[float, Event] | None:
    """Parse one line; None if it is incomplete or not an event."""
    try:
        payload = json.loads(line)
        at = float(payload["at"])
        # Later than that, or NaN, no clock can show.
        return (at, from_json(payload)) if 0 <= at <= MAX_TIME else None
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None


def parse_versioned_line(line: bytes) -> tuple[tuple[float, Event] | None, bool]:
    """Return the event of a journal line (None when invalid), and whether a newer factory wrote it."""
    event = parse_event_line(line)
    # Nearly all lines carry no version, or ours: comparing bytes saves parsing their JSON a second time.
    if event is None or b'"v":' not in line or any(version in line for version in OUR_VERSION):
        return event, False
    version = json.loads(line).get("v", EVENT_VERSION)  # parsed above, so it is an object
    return event, isinstance(version, int) and version > EVENT_VERSION


def list_journals(home: Path) -> list[Path]:
    """Return the journals of all runs, oldest first."""

    def sort_key(path: Path) -> tuple[str, ...]:
        run = path.parent.name  # DATE-TIME-NAME-SEQUENCE: by second, then by sequence, whatever the name
        return (*run.split("-")[:2], run.rpartition("-")[2], run)

    return sorted(filter(_may_open, (home / "runs").glob(f"*/{JOURNAL_FILE}")), key=sort_key)


def _may_open(path: Path) -> bool:
    try:
        return is_openable(path.stat().st_mode)
    except OSError:  # deleted meanwhile
        return False


def is_openable(mode: int) -> bool:
    """Return whether a file of this mode may be opened: to open a pipe, or to read a device, might never end."""
    return stat.S_ISREG(mode) or stat.S_ISDIR(mode)  # a folder of this name is an error that is told


def _read_events_if_present(path: Path) -> Iterator[tuple[float, Event]]:
    """Yield the events of a journal, or none if it was deleted in the meantime."""
    try:
        yield from read_events(path)
    except OSError:
        return


def find_last_plan(home: Path, name: str) -> dict[str, dict[str, Any]]:
    """Return the most recently planned stages of a specialist by stage name; empty if there was no run.

    A partial run (`--until`, or advice) does not plan all stages: the others come from earlier runs.
    """
    stages: dict[str, dict[str, Any]] = {}
    for started, _ in _iter_runs(home, name):
        plan = [stage for stage in started.plan if {"name", "key", "inputs", "identity"} <= stage.keys()]
        stages = {stage["name"]: stage for stage in plan} | stages
        if any(stage["name"] == FINAL_STAGE for stage in plan):
            break
    return stages


def find_last_verdict_time(home: Path, name: str) -> float:
    """Return the end time (seconds since the epoch) of a specialist's newest run with a verdict; 0 if there is none."""
    for _, events in _iter_runs(home, name):
        at, last = next(iter(deque(events, maxlen=1)), (0.0, None))
        if isinstance(last, RunFinished) and last.verdict:
            return at
    return 0.0


def find_last_run_start(home: Path, name: str) -> RunStarted | None:
    """Return the start event of the newest run of a specialist, or None."""
    return next((started for started, _ in _iter_runs(home, name)), None)


def _iter_runs(home: Path, name: str) -> Iterator[tuple[RunStarted, Iterator[tuple[float, Event]]]]:
    """Yield the start event of each run of a specialist, newest first, and an iterator over its other events."""
    for path in reversed(list_journals(home)):
        events = _read_events_if_present(path)
        _, first = next(events, (0.0, None))
        if isinstance(first, RunStarted) and first.name == name:
            yield first, events
