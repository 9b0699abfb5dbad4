"""The documents of one query, what was judged between them, and what follows from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from factory.api import Row
from factory_rerank.zelo.comparison_graph import Pair, components, cycles
from factory_rerank.zelo.fit import Link, fit

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FLOOR = 0.25
"""The quantile of a query's scores that is taken to be equally bad for every query."""
LEVEL_SPREAD = 0.3
"""Prior standard deviation of what the floor leaves open of a query's level: in simulations the best of 0.2 to 1."""
CLOSE = 10
"""Best documents of a query, of which one is drawn for a comparison with another query's."""


@dataclass
class Contest:
    """A row, its documents by id, who judges, and the judgements so far.

    A pair holds places in `names`; its share is that of the first.
    """

    row: Row
    names: list[str]
    judge: str = ""
    pairs: list[Pair] = field(default_factory=list)
    shares: list[float] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    errors: list[float] = field(default_factory=list)
    level: float = 0.0
    _places: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._places = {name: place for place, name in enumerate(self.names)}

    def place(self, name: str) -> int:
        """The place of a document, which is added when it is new."""
        if name not in self._places:
            self._places[name] = len(self.names)
            self.names.append(name)
        return self._places[name]

    def add(self, pair: Pair, share: float | None) -> None:
        """Take a judgement in; one that failed has no share and counts for nothing."""
        if share is not None:
            self.pairs.append(pair)
            self.shares.append(share)

    def first_stage(self, count: int, draw: np.random.Generator) -> list[Pair]:
        """Random cycles over all documents."""
        return cycles(range(len(self.names)), count, draw)

    def second_stage(self, top: int, count: int, draw: np.random.Generator) -> list[Pair]:
        """Random cycles over the provisional best, where the order matters."""
        return cycles(self.best(top), count, draw, self.pairs)

    def best(self, count: int) -> list[int]:
        """Places of the documents with the highest scores, of equals the first."""
        return sorted(range(len(self.names)), key=lambda i: (-self.scores[i], i))[:count]

    def settle(self, link: Link) -> None:
        """Fit scores, with mean 0, and their standard errors to the judgements."""
        found = fit(len(self.names), self.pairs, self.shares, link)
        self.scores, self.errors = found.scores.tolist(), found.errors.tolist()

    def worth(self, place: int) -> float:
        """A document's score on the scale of all queries."""
        return self.scores[place] + self.level

    def compared(self) -> list[int]:
        """Places of the largest part that is connected by judgements: only there do scores compare."""
        return sorted(components(len(self.names), self.pairs)[0]) if self.pairs else []


def across(contests: Sequence[Contest], count: int, draw: np.random.Generator) -> list[tuple[Pair, Pair]]:
    """Comparisons between queries: random cycles over the queries, with one of the best documents of each.

    Each is ((contest, document), (contest, document)).
    """
    if len(contests) < 2:
        return []
    close = [contest.best(CLOSE) for contest in contests]
    return [
        ((a, close[a][int(draw.integers(len(close[a])))]), (b, close[b][int(draw.integers(len(close[b])))]))
        for a, b in cycles(range(len(contests)), count, draw)
    ]


def anchor(contests: Sequence[Contest]) -> None:
    """Set each query's level, to be added to its scores, so that its floor is at 0.

    Comparisons within a query leave open how good its documents are as a whole. Their mean is no anchor, as it rises
    with the number of good ones; but the worst candidates of any query are of no use to it, and so of the same worth.
    """
    import numpy as np

    for contest in contests:
        mine = [contest.scores[place] for place in contest.compared()]
        contest.level = -float(np.quantile(mine, FLOOR)) if mine else 0.0


def adjust(
    contests: Sequence[Contest], edges: Sequence[tuple[Pair, Pair]], shares: Sequence[float], link: Link
) -> None:
    """Correct the levels by comparisons between queries: one more fit, whose items are the queries.

    Scores and floors are held fixed, and what they leave open is the cross-query bias of zELO.
    """
    pairs = [(a, b) for (a, _), (b, _) in edges]
    known = [contests[a].worth(i) - contests[b].worth(j) for (a, i), (b, j) in edges]
    found = fit(len(contests), pairs, shares, link, offsets=known, spread=LEVEL_SPREAD)
    for contest, value in zip(contests, found.scores.tolist(), strict=True):
        contest.level += value


def reliability(contests: Sequence[Contest]) -> float:
    """The share of the variance of scores that is no error, 0 to 1, over all queries."""
    import numpy as np

    spread = [float(np.var(contest.scores)) for contest in contests]
    noise = [float(np.mean(np.square(contest.errors))) for contest in contests]
    total = sum(spread)
    return max(0.0, 1 - sum(noise) / total) if total else 0.0


def scale(contests: Sequence[Contest]) -> tuple[float, float]:
    """The scores, level included, that become 0 and 1: the same for all queries, so that targets compare.

    Quantiles and not extremes, so that one lucky document does not press all others together.
    """
    import numpy as np

    values: NDArray[np.float64] = np.array([
        contest.worth(place) for contest in contests for place in contest.compared()
    ])
    low, high = np.quantile(values, [0.05, 0.995])
    return float(low), float(max(high, low + 1e-9))
