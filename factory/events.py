"""What can happen in a run: one frozen type each. The journal is a list of these, and all readers read nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

EVENT_VERSION = 1


@dataclass(frozen=True, slots=True)
class Event:
    """The parent of all. When it happened is the journal's to say."""



@dataclass(frozen=True, slots=True)
class RunStarted(Event):
    """A walk of a plan begins; `plan` holds its stages and `resolved` the spec's values with their origin."""

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
    """The stage's output was there already."""

    stage: str
    key: str


@dataclass(frozen=True, slots=True)
class StageStarted(Event):
    """The stage runs, because of `why`."""

    stage: str
    key: str
    why: str


@dataclass(frozen=True, slots=True)
class Progress(Event):
    """How far a stage is: `done` of `total` (0 when nobody knows) `unit`."""

    stage: str
    done: int
    total: int
    unit: str


@dataclass(frozen=True, slots=True)
class Measured(Event):
    """Numbers at a step: loss, learning rate, tokens per second."""

    stage: str
    step: int
    values: dict[str, float]


@dataclass(frozen=True, slots=True)
class Noted(Event):
    """Something a person should know; level is `info` or `warning`."""

    stage: str
    level: str
    text: str


@dataclass(frozen=True, slots=True)
class StageFinished(Event):
    """The stage's output is complete in the store. Memory is the worker's peak so far, in MiB."""

    stage: str
    key: str
    seconds: float
    cpu_seconds: float
    peak_mib: float


@dataclass(frozen=True, slots=True)
class StageFailed(Event):
    """The stage ended without an output."""

    stage: str
    key: str
    error: str
    exit_code: int


@dataclass(frozen=True, slots=True)
class RunFinished(Event):
    """The walk ended. `verdict` and `bundle` are empty unless it reached them."""

    run: str
    verdict: str
    exit_code: int
    seconds: float
    bundle: str = ""


@dataclass(frozen=True, slots=True)
class UnknownEvent(Event):
    """A line of a newer factory: kept, shown as what it is, never a reason to stop."""

    type: str
    payload: Mapping[str, Any] = field(default_factory=dict)


EVENT_TYPES: dict[str, type[Event]] = {
    kind.__name__: kind
    for kind in (
        RunStarted, StageCached, StageStarted, Progress, Measured, Noted, StageFinished, StageFailed, RunFinished,
    )
}


def to_json(event: Event) -> dict[str, Any]:
    """The event as a JSON object with its type and the version of this vocabulary."""
    return {"type": type(event).__name__, "v": EVENT_VERSION, **asdict(event)}


def from_json(payload: Mapping[str, Any]) -> Event:
    """The event a JSON object holds; extra fields are ignored, and what can not be read becomes `Unknown`."""
    name = str(payload.get("type", ""))
    kind = EVENT_TYPES.get(name)
    if kind is None:
        return UnknownEvent(name, dict(payload))
    known = {f.name for f in fields(kind)}
    try:
        return kind(**{k: v for k, v in payload.items() if k in known})
    except TypeError:
        return UnknownEvent(name, dict(payload))
