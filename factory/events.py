"""The events of a run, one frozen type each, and the verdicts with which a run may end.

The journal is a list of events, and the only source for every display. The rule that chooses a verdict is in
`factory.evaluation.gate`. Nothing else names the verdicts one by one: a new one is a member here, and its rule.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from math import isfinite, isnan
from typing import Any, Self

from factory.errors import BUG, INSUFFICIENT, NOT_SHIPPED, SHIPPED

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
    """Return the event as a JSON object with its type and EVENT_VERSION.

    Values that JSON does not have, such as the loss of a training that diverged, are the texts `NaN` and `Infinity`.
    """
    values = {field.name: getattr(event, field.name) for field in fields(event)}
    if isinstance(event, Measured):
        values["values"] = spell_infinite_numbers(event.values)
    return {"type": type(event).__name__, "v": EVENT_VERSION, **values}


def spell_infinite_numbers(value: Any) -> Any:
    """Return a JSON value in which NaN and infinite numbers are texts."""
    if isinstance(value, Mapping):
        return {name: spell_infinite_numbers(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [spell_infinite_numbers(item) for item in value]
    if not isinstance(value, float) or isfinite(value):
        return value
    return "NaN" if isnan(value) else "Infinity" if value > 0 else "-Infinity"


def from_json(payload: Mapping[str, Any]) -> Event:
    """Read an event from JSON; extra fields are ignored, an unreadable event becomes an UnknownEvent.

    A field of another type makes an event unreadable: displays rely on the types, and a journal may hold anything.
    """
    name = str(payload.get("type", ""))
    kind = EVENT_TYPES.get(name)
    if kind is None:
        return UnknownEvent(name, dict(payload))
    values = {f.name: payload[f.name] for f in fields(kind) if f.name in payload}
    try:
        if kind is Measured:
            values["values"] = {key: float(value) for key, value in values["values"].items()}
        if all(FIELD_CHECKS[types](values[field]) for field, types in FIELD_TYPES[kind] if field in values):
            return kind(**values)
    except (TypeError, ValueError, KeyError, AttributeError):
        pass
    return UnknownEvent(name, dict(payload))


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < MAX_NUMBER


def _is_list_of_objects(value: object) -> bool:
    """Whether all items are objects whose name and key, where they have them, are texts."""
    return isinstance(value, list) and all(
        isinstance(item, dict) and isinstance(item.get("name", ""), str) and isinstance(item.get("key", ""), str)
        and isinstance(item.get("config", {}), dict) and isinstance(item.get("inputs", {}), dict)
        for item in value
    )


MAX_NUMBER = 1e15
"""No count, duration or exit code comes near; larger ones overflow where times are formatted."""
FIELD_CHECKS: dict[str, Callable[[Any], bool]] = {
    "str": lambda value: isinstance(value, str),
    "int": lambda value: _is_number(value) and int(value) == value,
    "float": _is_number,
    "dict[str, float]": lambda value: isinstance(value, dict),
    "list[dict[str, Any]]": _is_list_of_objects,
}
"""Type of an event's field, as it is written above → whether a value has it."""
FIELD_TYPES = {kind: tuple((f.name, str(f.type)) for f in fields(kind)) for kind in EVENT_TYPES.values()}


@dataclass(frozen=True, slots=True)
class VerdictFacts:
    """What is known of a verdict besides its word.

    `title` and `sign` are for narrow places, `tone` is good, bad or warn. `claim` continues "The tuned TASK" and ends
    before the name of a baseline, `{rows}` being the test rows; if empty, the sign of the difference decides. `advice`
    is one line of a list, `finding` a sentence of the model card. `next_step` may name `{rows}`, such as
    `120 test rows`, that would settle the comparison, the contender to use `{instead}`, and the `{cause}` to look at.
    """

    exit_code: int
    title: str
    sign: str = "?"
    tone: str = "warn"
    claim: str = ""
    advice: str = ""
    finding: str = "see the reasons."
    next_step: str = ""


class Verdict(StrEnum):
    """Whether the tuned model may ship."""

    facts: VerdictFacts

    def __new__(cls, word: str, facts: VerdictFacts) -> Self:
        member = str.__new__(cls, word)
        member._value_, member.facts = word, facts
        return member

    SHIP = "SHIP", VerdictFacts(
        exit_code=SHIPPED, title="SHIP", sign="▲", tone="good",
        claim="answers {rows} better than",
        advice="ship it: better than every baseline, outside the noise",
        finding="the tuned model beats every baseline by more than chance explains.",
        next_step="Deploy the bundle, and add the contender `incumbent`, so that a refresh must beat this version.",
    )
    NO_SHIP = "NO_SHIP", VerdictFacts(
        exit_code=NOT_SHIPPED, title="NO SHIP", sign="✗", tone="bad",
        advice="do not ship: Verdict (3) and Compare (4) show which rows it loses",
        finding="the tuned model did not pass the gate. Do not deploy it in place of the best baseline.",
        next_step="Use {instead}; {cause}.",
    )
    PROMPTING_IS_ENOUGH = "PROMPTING_IS_ENOUGH", VerdictFacts(
        exit_code=NOT_SHIPPED, title="PROMPTING IS ENOUGH", sign="≈", tone="warn",
        advice="do not ship: prompting the base model is enough",
        finding="prompting is enough: a prompted model does as well, or reaches the target that the spec states.",
        next_step="Prompting the base model is enough: deploy that instead of the trained artifact; {cause}.",
    )
    INSUFFICIENT_EVIDENCE = "INSUFFICIENT_EVIDENCE", VerdictFacts(
        exit_code=INSUFFICIENT, title="INSUFFICIENT EVIDENCE", sign="?", tone="warn",
        claim="is not significantly different, on {rows}, from",
        advice="inconclusive: more test rows are needed",
        finding="the evidence is too thin to say that the tuned model may ship.",
        next_step="About {rows} would be needed to decide.",
    )

    @classmethod
    def from_word(cls, word: object) -> Self:
        """Return the verdict of this word. A newer version of the factory may know words that are no member here."""
        known = next((verdict for verdict in cls if verdict == word), None)
        if known is not None:
            return known
        unknown = str.__new__(cls, str(word))
        unknown._name_ = unknown._value_ = str(word)
        unknown.facts = VerdictFacts(exit_code=BUG, title=str(word))
        return unknown

    @property
    def ships(self) -> bool:
        """Whether this verdict lets the tuned model ship."""
        return self.facts.exit_code == SHIPPED


class RuleState(StrEnum):
    """What an interval says of a rule of the gate. `ENOUGH` is a target that a prompted contender reaches."""

    MET = "met"
    FAILED = "failed"
    OPEN = "open"
    ENOUGH = "enough"
