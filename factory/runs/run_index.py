"""Index of all runs: a summary of each, made from the first line and the end of its journal, cached in a file."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from factory import events
from factory.runs.run_outputs import find_deciding_comparison, read_intact_gate
from factory.runs.run_view import GATE_STAGE, SMOKE_PROFILE, derive_run_state, extract_specialist_name
from factory.store import journal
from factory.store.outputs import Store

MAX_WHOLE_BYTES, TAIL_BYTES = 1 << 16, 1 << 14
"""A journal up to the first size is read whole; of a longer one, the first line and so many bytes of its end."""
GATE_RETRY_NS = 60 * 10**9
"""Nanoseconds after the last event in which a gate output that could not be read is tried again."""
INDEX_VERSION = 2
"""Version of the cache file; bump it when a field of `RunSummary` changes."""


@dataclass(frozen=True, slots=True)
class RunSummary:
    """One run in a list. Unknown values are empty. `seconds` is a duration, other times are since the epoch."""

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
    last_event_at: float = 0.0
    exit_code: int | None = None
    seconds: float = 0.0
    verdict: str = ""
    stage: str = ""
    """The stage that ran last; of several side by side the first of the plan, or the one that failed."""
    stage_number: int = 0
    """Its position in the plan, from 1."""
    stage_count: int = 0
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
    """The deciding baseline."""
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    torn: bool = False
    newer_version: bool = False
    readable: bool = True

    @property
    def state(self) -> str:
        """The run's state now; it depends on whether its process is alive."""
        return derive_run_state(self.exit_code, self.pid, self.started)

    @property
    def is_smoke(self) -> bool:
        """Whether this is a trial with few rows, whose verdict means nothing."""
        return self.profile == SMOKE_PROFILE

    def compute_progress(self) -> float:
        """Return the share of the plan's stages that are done, 0 to 1."""
        if self.exit_code is not None and self.verdict:
            return 1.0
        current = self.done / self.total if self.total else 0.0
        return min(1.0, (max(0, self.stage_number - 1) + current) / self.stage_count) if self.stage_count else 0.0


@dataclass
class RunIndex:
    """Summaries of all runs of a home. `iter_refresh` updates them one at a time, so that keys are not delayed."""

    home: Path
    summaries: dict[str, RunSummary] = field(default_factory=dict)
    saved: bool = True

    @property
    def path(self) -> Path:
        """The cache file; deleting it costs only the time to read all journals again."""
        return self.home / "cache" / "runs-index.json"

    def __post_init__(self) -> None:
        self.runs_folder = str(self.home / "runs")

    def load(self) -> RunIndex:
        """Load the cached summaries; none when the file is missing, damaged or of another version."""
        try:
            cache = json.loads(self.path.read_bytes())
            if cache["version"] == INDEX_VERSION:
                self.summaries = {run["id"]: RunSummary(**run) for run in cache["runs"]}
        except (OSError, ValueError, KeyError, TypeError):
            self.summaries = {}
        return self

    def save(self) -> None:
        """Write the cache with an atomic rename. A read-only home is not an error."""
        if self.saved:
            return
        # Named by process: several apps may save at the same time.
        temporary = self.path.with_name(f"{self.path.name}.{os.getpid()}")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            runs = [asdict(run) for run in self.summaries.values()]
            temporary.write_text(json.dumps({"version": INDEX_VERSION, "runs": runs}))
            temporary.replace(self.path)
        except OSError:
            temporary.unlink(missing_ok=True)
        self.saved = True

    def iter_refresh(self) -> Iterator[bool]:
        """Scan the runs folder once, newest run first; yields for each run whether its summary changed."""
        present = self.list_run_ids()
        for deleted in [run for run in self.summaries if run not in present]:
            del self.summaries[deleted]
            self.saved = False
            yield True
        # Run ids start with the date: the newest come first, without reading a journal.
        for run in sorted(present, reverse=True):
            yield self._refresh_run(run)

    def refresh(self) -> RunIndex:
        """Scan the runs folder once, without a pause."""
        for _ in self.iter_refresh():
            pass
        return self

    def list_runs(self) -> list[RunSummary]:
        """Return all runs, newest first."""
        return sorted(self.summaries.values(), key=lambda run: (run.started, run.id), reverse=True)

    def list_run_ids(self) -> set[str]:
        """Return the names of the folders of runs, whether or not they are read yet."""
        try:
            with os.scandir(self.runs_folder) as entries:
                return {entry.name for entry in entries if entry.is_dir()}
        except OSError:
            return set()

    def _refresh_run(self, run: str) -> bool:
        # Called a thousand times a second in a large home: `os.path` is several times faster than `Path`.
        path = os.path.join(self.runs_folder, run, journal.JOURNAL_FILE)
        known = self.summaries.get(run)
        try:
            status = os.stat(path)
        except OSError:
            return self.summaries.pop(run, None) is not None
        if not journal.is_openable(status.st_mode):
            return self.summaries.pop(run, None) is not None
        if known is not None and (known.size, known.mtime) == (status.st_size, status.st_mtime_ns):
            return self._retry_gate(known)
        summary = summarise_journal(self.home, Path(path), status.st_size)
        self.summaries[run] = replace(summary, size=status.st_size, mtime=status.st_mtime_ns)
        self.saved = False
        return True

    def _retry_gate(self, known: RunSummary) -> bool:
        """Read the gate output again: the last event may be written before the output is visible in the store."""
        if not known.verdict or known.metric or time.time_ns() - known.mtime > GATE_RETRY_NS:
            return False
        self.summaries[known.id] = replace(known, **_summarise_gate(self.home, known.gate))
        return self.summaries[known.id] != known


def summarise_journals(home: Path, journals: Iterable[Path]) -> list[RunSummary]:
    """Summarise journals in their order; one that is deleted meanwhile is skipped."""
    summaries = []
    for path in journals:
        with suppress(FileNotFoundError):
            summaries.append(summarise_journal(home, path, path.stat().st_size))
    return summaries


def summarise_journal(home: Path, path: Path, size: int) -> RunSummary:
    """Summarise a journal from its first line and its end. An unreadable file gives a summary with the error."""
    run = path.parent.name
    try:
        first, last, torn = _read_ends(path, size)
    except OSError as error:
        return RunSummary(run, name=extract_specialist_name(run), readable=False, error=error.strerror or str(error))
    values: dict[str, Any] = {"id": run, "name": extract_specialist_name(run), "torn": torn}
    plan: list[dict[str, Any]] = []
    start, newer = journal.parse_versioned_line(first)
    if start is not None and isinstance(start[1], events.RunStarted):
        plan = start[1].plan
        values |= _summarise_start(start[0], start[1])
    parsed = [journal.parse_versioned_line(line) for line in last]
    values |= _summarise_end(parsed, [str(stage.get("name", "")) for stage in plan])
    values["newer_version"] = values["newer_version"] or newer
    if values.get("verdict") and values.get("gate"):
        values |= _summarise_gate(home, values["gate"])
    return RunSummary(**values)


def _read_ends(path: Path, size: int) -> tuple[bytes, list[bytes], bool]:
    """Return the first line, the last complete lines, and whether the journal ends within a line."""
    with path.open("rb") as file:
        first = file.readline()
        # The first of the last lines may be cut; it then fails to parse and is passed over.
        if size > MAX_WHOLE_BYTES:
            file.seek(max(file.tell(), size - TAIL_BYTES))
        *lines, rest = file.read().split(b"\n")
        return first, lines, bool(rest) or first[-1:] not in (b"", b"\n")


def _summarise_start(at: float, event: events.RunStarted) -> dict[str, Any]:
    keys = {str(stage.get("name")): str(stage.get("key", "")) for stage in event.plan}
    return {
        "name": event.name, "task": event.task, "profile": event.profile, "spec": event.spec, "pid": event.pid,
        "started": at, "last_event_at": at, "stage_count": len(event.plan),
        "gate": keys.get("gate", ""), "bundle": keys.get("bundle", ""),
    }


@dataclass(slots=True)
class _StageTail:
    """What the end of a journal tells about one stage."""

    done: int = 0
    total: int = 0
    rate: float = 0.0
    first_progress: tuple[float, int] | None = None
    is_over: bool = False

    def apply(self, at: float, event: events.Event) -> None:
        """Update progress and state by an event of this stage."""
        if isinstance(event, events.Progress):
            # The rate over all progress of this stage in the tail: steadier than that of the last two events.
            self.first_progress = self.first_progress or (at, event.done)
            elapsed, made = at - self.first_progress[0], event.done - self.first_progress[1]
            self.done, self.total, self.rate = event.done, event.total, max(0.0, made / elapsed if elapsed > 0 else 0.0)
        elif isinstance(event, (events.StageFinished, events.StageCached)):
            self.is_over = True


def _summarise_end(last: list[tuple[tuple[float, events.Event] | None, bool]], plan: list[str]) -> dict[str, Any]:
    """Return the fields that the last events determine: current stage, progress, rate, error, verdict."""
    values: dict[str, Any] = {"newer_version": any(newer for _, newer in last)}
    tails: dict[str, _StageTail] = {}
    failed = stage = ""
    for at, event in (parsed for parsed, _ in last if parsed is not None):
        values["last_event_at"] = at
        name = getattr(event, "stage", "")
        if isinstance(name, str) and name in plan:
            stage = name
            tails.setdefault(name, _StageTail()).apply(at, event)
        match event:
            case events.StageFailed(error=error) if not failed:
                failed, values["error"] = name, error
            case events.RunFinished():
                values |= {"exit_code": event.exit_code, "seconds": event.seconds, "verdict": event.verdict}
    # Of several stages side by side, the one that failed or else the first of the plan stands for the run.
    if failed in tails:
        stage = failed
    elif unfinished := [name for name in plan if name in tails and not tails[name].is_over]:
        stage = unfinished[0]
    if stage:
        tail = tails[stage]
        values |= {"stage": stage, "stage_number": plan.index(stage) + 1}
        values |= {"done": tail.done, "total": tail.total, "rate": tail.rate}
    return values


def _summarise_gate(home: Path, key: str) -> dict[str, Any]:
    """Return the score and the deciding comparison of a gate output; {} when it is not in the store."""
    gate = read_intact_gate(Store(home).locate_output(GATE_STAGE, key))
    if not gate:
        return {}
    try:
        deciding = find_deciding_comparison(gate)
        return {
            "metric": str(gate.get("metric", "")), "score": (gate.get("tuned") or {}).get("mean"),
            "baseline": str(deciding.get("baseline", "")), "difference": deciding.get("difference"),
            "low": deciding.get("low"), "high": deciding.get("high"),
        }
    except (KeyError, TypeError, AttributeError):  # another version's gate
        return {}
