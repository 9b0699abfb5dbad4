"""The basis of advice: facts about the rows, and how well contenders without training answer a few validation rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

BASELINE, PROMPTED, TEACHER = "baseline", "prompted", "teacher"


@dataclass(frozen=True, slots=True)
class ContenderEstimate:
    """One contender on `n` validation rows: the mean of the deciding metric with its interval.

    `sort` is baseline, prompted or teacher. `facts` is what answering cost, such as prompt tokens; `why` explains why
    `n` is 0.
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
    """The content of advice.json. `made` is the share of synthetic rows; lengths are in words: (median, 95 %).

    `labels` counts the distinct answers if they are few, `rarest` the rows of the rarest, `thin` the labels with fewer
    than eight rows. `change` is how often the facts change according to the spec; empty if it does not say.
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
        return asdict(self)

    @classmethod
    def from_json(cls, payload: Mapping[str, Any]) -> Survey:
        lengths = {name: tuple(payload[name]) for name in ("input_words", "answer_words")}
        return cls(**{**payload, **lengths, "legs": tuple(ContenderEstimate(**trial) for trial in payload["legs"])})

    def rank_contenders(self, *sorts: str) -> list[ContenderEstimate]:
        """Return the measured contenders of these sorts, best first."""
        sign = 1 if self.higher_is_better else -1
        measured = [trial for trial in self.legs if trial.n and trial.sort in sorts]
        return sorted(measured, key=lambda trial: (-sign * trial.mean, trial.name))

    @property
    def best(self) -> ContenderEstimate | None:
        """The best measured contender that needs no training."""
        return next(iter(self.rank_contenders(BASELINE, PROMPTED)), None)

    @property
    def teacher(self) -> ContenderEstimate | None:
        return next(iter(self.rank_contenders(TEACHER)), None)

    @property
    def is_share_metric(self) -> bool:
        """Whether the metric seems to be a share, so that 1 is the best possible."""
        return self.higher_is_better and all(0 <= trial.mean <= 1 for trial in self.legs)
