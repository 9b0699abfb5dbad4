"""All runs at a glance: of each journal the first line and the end are read, and what was found is remembered."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from factory import events
from factory.runs.run_view import derive_run_state, extract_specialist_name
from factory.store import journal
from factory.store.outputs import Store
from factory.tui.tail import parsed

WHOLE, END = 1 << 16, 1 << 14
"""A journal of fewer bytes is read whole, of a longer one the first line and so many bytes of its end."""
SETTLING = 60 * 10**9
"""Nanoseconds after the last line of a journal in which its gate is looked for again."""
VERSION = 1
"""Of the file of summaries; bumped when a field changes its meaning."""


@dataclass(frozen=True, slots=True)
class Summary:
    """One run in a list. Times are seconds, `started` and `seen` since the epoch; what nobody knows is empty."""

    id: str
    size: int = 0
    mtime: int = 0
    """Of the journal, in nanoseconds."""
    name: str = ""
    task: str = ""
    profile: str = ""
    spec: str = ""
    pid: int = 0
    started: float = 0.0
    seen: float = 0.0
    exit_code: int | None = None
    seconds: float = 0.0
    verdict: str = ""
    stage: str = ""
    """The stage that ran last."""
    number: int = 0
    """Its place in the plan, from 1."""
    stages: int = 0
    done: int = 0
    total: int = 0
    rate: float = 0.0
    """Units a second of that stage."""
    error: str = ""
    gate: str = ""
    bundle: str = ""
    """Keys of these stages."""
    metric: str = ""
    score: float | None = None
    baseline: str = ""
    """The baseline that decided."""
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    torn: bool = False
    newer: bool = False
    readable: bool = True

    @property
    def state(self) -> str:
        """As `state_of` says."""
        return derive_run_state(self.exit_code, self.pid, self.started)

    def share(self) -> float:
        """How much of its plan is behind it, 0 to 1, by stages."""
        if self.exit_code is not None and self.verdict:
            return 1.0
        inner = self.done / self.total if self.total else 0.0
        return min(1.0, (max(0, self.number - 1) + inner) / self.stages) if self.stages else 0.0


FIELDS = {f.name for f in fields(Summary)}


@dataclass
class Index:
    """The summaries of a home, newest first. `steps` brings it up to date a few at a time."""

    home: Path
    found: dict[str, Summary] = field(default_factory=dict)
    saved: bool = True

    @property
    def file(self) -> Path:
        """Where summaries are remembered; losing it costs nothing but time."""
        return self.home / "cache" / "runs-index.json"

    def __post_init__(self) -> None:
        self.root = str(self.home / "runs")

    def load(self) -> Index:
        """What an earlier look remembered."""
        try:
            kept = json.loads(self.file.read_bytes())
            if kept["version"] == VERSION:
                self.found = {one["id"]: Summary(**one) for one in kept["runs"]}
        except (OSError, ValueError, KeyError, TypeError):
            self.found = {}
        return self

    def save(self) -> None:
        """Remember, by one rename; a home that may not be written is none the worse."""
        if self.saved:
            return
        mine = self.file.with_name(f"{self.file.name}.{os.getpid()}")
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            mine.write_text(json.dumps({"version": VERSION, "runs": [asdict(one) for one in self.found.values()]}))
            mine.replace(self.file)
        except OSError:
            mine.unlink(missing_ok=True)
        self.saved = True

    def steps(self) -> Iterator[bool]:
        """One look at the folder, one run at a time, newest first; each says whether something about it changed."""
        there = self._folders()
        for gone in [run for run in self.found if run not in there]:
            del self.found[gone]
            self.saved = False
            yield True
        for run in sorted(there, reverse=True):
            yield self._step(run)

    def refresh(self) -> Index:
        """One whole look."""
        for _ in self.steps():
            pass
        return self

    def all(self) -> list[Summary]:
        """Every run, newest first."""
        return sorted(self.found.values(), key=lambda one: (one.started, one.id), reverse=True)

    def _folders(self) -> set[str]:
        try:
            with os.scandir(self.root) as entries:
                return {entry.name for entry in entries if entry.is_dir()}
        except OSError:
            return set()

    def _step(self, run: str) -> bool:
        path = os.path.join(self.root, run, journal.JOURNAL_FILE)  # a thousand times a second: too often for `Path`
        known = self.found.get(run)
        try:
            now = os.stat(path)
        except OSError:
            return self.found.pop(run, None) is not None
        if known is not None and (known.size, known.mtime) == (now.st_size, now.st_mtime_ns):
            return self._judge(known)
        made = summary(self.home, Path(path), now.st_size)
        self.found[run] = replace(made, size=now.st_size, mtime=now.st_mtime_ns)
        self.saved = False
        return True

    def _judge(self, known: Summary) -> bool:
        """Look for a verdict whose gate could not be read before: a summary is written before its store is synced."""
        if not known.verdict or known.metric or time.time_ns() - known.mtime > SETTLING:
            return False
        better = replace(known, **_gate(self.home, known.gate))
        self.found[known.id] = better
        return better != known


def summary(home: Path, path: Path, size: int) -> Summary:
    """The summary of one journal, from its two ends. A file that can not be read gives one that says so."""
    run = path.parent.name
    try:
        first, last, torn = _ends(path, size)
    except OSError as error:
        return Summary(run, name=extract_specialist_name(run), readable=False, error=error.strerror or str(error))
    told: dict[str, Any] = {"id": run, "name": extract_specialist_name(run), "torn": torn}
    plan: list[dict[str, Any]] = []
    begun, newer = parsed(first)
    if begun is not None and isinstance(begun[1], events.RunStarted):
        plan = begun[1].plan
        told |= _begun(*begun)
    told |= _ended([parsed(one) for one in last], [str(s.get("name", "")) for s in plan])
    told["newer"] = told["newer"] or newer
    if told.get("verdict") and told.get("gate"):
        told |= _gate(home, told["gate"])
    return Summary(**told)


def _ends(path: Path, size: int) -> tuple[bytes, list[bytes], bool]:
    """The first line, the last lines, and whether the very last is half a line."""
    with path.open("rb") as file:
        if size <= WHOLE:
            lines = file.read().split(b"\n")
            return lines[0], lines[1:-1], bool(lines[-1])
        first = file.readline()
        file.seek(max(file.tell(), size - END))
        lines = file.read().split(b"\n")
        return first, lines[:-1], bool(lines[-1])


def _begun(at: float, event: events.Event) -> dict[str, Any]:
    assert isinstance(event, events.RunStarted)
    keys = {str(stage.get("name")): str(stage.get("key", "")) for stage in event.plan}
    return {
        "name": event.name,
        "task": event.task,
        "profile": event.profile,
        "spec": event.spec,
        "pid": event.pid,
        "started": at,
        "seen": at,
        "stages": len(event.plan),
        "gate": keys.get("gate", ""),
        "bundle": keys.get("bundle", ""),
    }


def _ended(last: list[tuple[tuple[float, events.Event] | None, bool]], plan: list[str]) -> dict[str, Any]:
    """What the last lines tell, the newest last."""
    told: dict[str, Any] = {"newer": any(newer for _, newer in last)}
    first: tuple[float, int] | None = None
    for pair in (found for found, _ in last if found is not None):
        at, event = pair
        told["seen"] = at
        stage = getattr(event, "stage", "")
        if isinstance(stage, str) and stage in plan and told.get("stage") != stage:
            told |= {"stage": stage, "number": plan.index(stage) + 1, "done": 0, "total": 0, "rate": 0.0}
            first = None
        match event:
            case events.Progress(done=done, total=total):
                first = first or (at, done)
                rate = (done - first[1]) / (at - first[0]) if at > first[0] else 0.0
                told |= {"done": done, "total": total, "rate": max(0.0, rate)}
            case events.StageFailed(error=error):
                told["error"] = error
            case events.RunFinished():
                told |= {"exit_code": event.exit_code, "seconds": event.seconds, "verdict": event.verdict}
    return told


def _gate(home: Path, key: str) -> dict[str, Any]:
    """What the gate said, when its output is still there: the comparison that decided."""
    from factory.views.formatting import find_deciding_comparison

    try:
        gate = json.loads((Store(home).locate_output("gate", key).output / "gate.json").read_bytes())
        one = find_deciding_comparison(gate)
        tuned = gate.get("tuned") or {}
        return {
            "metric": str(gate.get("metric", "")),
            "score": tuned.get("mean"),
            "baseline": str(one.get("baseline", "")),
            "difference": one.get("difference"),
            "low": one.get("low"),
            "high": one.get("high"),
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
