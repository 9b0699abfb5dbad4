"""What a fault is, what was seen of it, and the kinds of faults."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from fault_kinds.world import World


class Outcome(StrEnum):
    """How a fault ended: as it should, or in one of four ways that must never occur."""

    OK = "ok"
    LOST_WORK = "lost_work"
    WRONG_RESULT = "wrong_result"
    HANG = "hang"
    TRACEBACK = "traceback"


@dataclass(frozen=True)
class Fault:
    """One fault: all that is random in it is drawn from its seed, kind and number."""

    kind: str
    number: int
    seed: int
    world: World
    folder: Path
    """An empty folder of its own, which is deleted afterwards."""

    def create_random(self) -> random.Random:
        return random.Random(f"{self.seed}:{self.kind}:{self.number}")


@dataclass(frozen=True)
class Observation:
    """What exactly was done, what was seen of it, and how it ended."""

    what: str
    seen: str
    outcome: Outcome = Outcome.OK


@dataclass(frozen=True)
class FaultKind:
    """A kind of fault, its number among 10,000, and the fewest of it in a smaller run."""

    name: str
    count: int
    least: int
    inject: Callable[[Fault], Observation]
