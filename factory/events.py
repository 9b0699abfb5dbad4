"""The events of a run, one frozen type each. The journal is a list of them, and the only source for every display."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

EVENT_VERSION = 1


@dataclass(frozen=True, slots=True)
class Event:
    """Base class of all events; the journal adds the time."""


@dataclass(frozen=True, slots=True)
class RunStarted(Event):
    """A run starts; `plan` lists its stages, `resolved` the values of the spec with their origin."""

    run: str
    name: str
    task: str
    spec: str
    profile: str
    plan: list[dict[str, Any]]
    resolved: list[dict[str, Any]]
    factory: str
    pid: int


@dataclass(frozen=True, slots=True)
class StageCached(Event):
    """The stage's output was already in the store."""

    stage: str
    key: str


@dataclass(frozen=True, slots=True)
class StageStarted(Event):
    """The stage starts; `why` is the reason it was not cached."""

    stage: str
    key: str
    why: str


@dataclass(frozen=True, slots=True)
class Progress(Event):
    """Progress of a stage: `done` of `total` (0: unknown) `unit`."""

    stage: str
    done: int
    total: int
    unit: str


@dataclass(frozen=True, slots=True)
class Measured(Event):
    """Metrics at a step: loss, learning rate, tokens per second."""

    stage: str
    step: int
    values: dict[str, float]


@dataclass(frozen=True, slots=True)
class Noted(Event):
    """A note for the user; level is `info` or `warning`."""

    stage: str
    level: str
    text: str


@dataclass(frozen=True, slots=True)
class StageFinished(Event):
    """The stage's output is complete in the store; `peak_mib` is the worker's peak memory so far in MiB."""

    stage: str
    key: str
    seconds: float
    cpu_seconds: float
    peak_mib: float


@dataclass(frozen=True, slots=True)
class StageFailed(Event):
    """The stage failed and has no output."""

    stage: str
    key: str
    error: str
    exit_code: int


@dataclass(frozen=True, slots=True)
class RunFinished(Event):
    """The run ended. `verdict` and `bundle` are empty if it did not get that far."""

    run: str
    verdict: str
    exit_code: int
    seconds: float
    bundle: str = ""


@dataclass(frozen=True, slots=True)
class UnknownEvent(Event):
    """An event written by a newer version: kept and shown by name, never an error."""

    type: str
    payload: Mapping[str, Any] = field(default_factory=dict)


EVENT_TYPES: dict[str, type[Event]] = {
    kind.__name__: kind for kind in
    (RunStarted, StageCached, StageStarted, Progress, Measured, Noted, StageFinished, StageFailed, RunFinished)
}


def to_json(event: Event) -> dict[str, Any]:
    """Return the event as a JSON object with its type and EVENT_VERSION."""
    return {"type": type(event).__name__, "v": EVENT_VERSION, **asdict(event)}


def from_json(payload: Mapping[str, Any]) -> Event:
    """Read an event from JSON; extra fields are ignored, an unreadable event becomes an UnknownEvent."""
    name = str(payload.get("type", ""))
    kind = EVENT_TYPES.get(name)
    if kind is None:
        return UnknownEvent(name, dict(payload))
    try:
        return kind(**{f.name: payload[f.name] for f in fields(kind) if f.name in payload})
    except TypeError:
        return UnknownEvent(name, dict(payload))
