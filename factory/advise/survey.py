"""What advice rests on: facts of the rows, and how well what exists already answers a few validation rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

BASELINE, PROMPTED, TEACHER = "baseline", "prompted", "teacher"


@dataclass(frozen=True, slots=True)
class ContenderEstimate:
    """One contender on `n` validation rows: the mean of the deciding metric with its interval.

    `sort` is baseline, prompted or teacher. `facts` is what answering took, such as tokens of a prompt; `why` says why
    there are no numbers, when n is 0.
    """

    name: str
    sort: str
    mean: float = 0.0
    low: float = 0.0
    high: float = 0.0
    n: int = 0
    facts: Mapping[str, Any] = field(default_factory=dict)
    why: str = ""


@dataclass(frozen=True, slots=True)
class Survey:
    """What was found. `made` is the share of training rows that a generator made; lengths are in words, (median, 95 %).

    `labels` counts the different answers where they are few, `rarest` the rows of the rarest, `thin` the labels of
    fewer than eight rows. `change` is how often the facts change, as the spec says it; empty when it does not.
    """

    rows: int
    validation: int
    made: float = 0.0
    labels: int = 0
    rarest: int = 0
    thin: int = 0
    input_words: tuple[int, int] = (0, 0)
    answer_words: tuple[int, int] = (0, 0)
    change: str = ""
    metric: str = ""
    higher_is_better: bool = True
    legs: tuple[ContenderEstimate, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As advice.json holds it."""
        return asdict(self)

    @classmethod
    def from_json(cls, payload: Mapping[str, Any]) -> Survey:
        """The survey that an advice.json holds."""
        lengths = {name: tuple(payload[name]) for name in ("input_words", "answer_words")}
        return cls(**{**payload, **lengths, "legs": tuple(ContenderEstimate(**leg) for leg in payload["legs"])})

    def rank_contenders(self, *sorts: str) -> list[ContenderEstimate]:
        """The legs of these sorts that have numbers, the best first."""
        sign = 1 if self.higher_is_better else -1
        there = [leg for leg in self.legs if leg.n and leg.sort in sorts]
        return sorted(there, key=lambda leg: (-sign * leg.mean, leg.name))

    @property
    def is_share_metric(self) -> bool:
        """Whether the metric looks like a share, so that 1 is the best there can be."""
        return self.higher_is_better and all(0 <= leg.mean <= 1 for leg in self.legs)
