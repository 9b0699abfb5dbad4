"""The events of a run, one frozen type each, and the verdicts with which a run may end.

The journal is a list of events, and the only source for every display. The rule that chooses a verdict is in
`factory.evaluation.gate`. Nothing else names the verdicts one by one: a new one is a member here, and its rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
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
