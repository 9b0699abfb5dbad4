"""The documents of one query, what was judged between them, and what follows from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from factory.api import Row
from factory_rerank.zelo.comparison_graph import PlacePair, draw_cycles, find_connected_items
from factory_rerank.zelo.score_fitting import LinkFunction, fit_pairwise_scores

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FLOOR_QUANTILE = 0.25
"""The quantile of a query's scores that is taken to be equally bad for every query."""
LEVEL_SPREAD = 0.3
"""Prior standard deviation of what the floor leaves open of a query's level: in simulations the best of 0.2 to 1."""
BEST_PER_QUERY = 10
"""Best documents of a query, of which one is drawn for a comparison with another query's."""


@dataclass
class QueryComparisons:
    """A row, its documents by id, who judges, and the judgements so far.

    A pair holds places in `names`; its share is that of the first.
    """

    row: Row
    names: list[str]
    judge_name: str = ""
    pairs: list[PlacePair] = field(default_factory=list)
    win_shares: list[float] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    standard_errors: list[float] = field(default_factory=list)
    level: float = 0.0
    _place_by_name: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._place_by_name = {name: place for place, name in enumerate(self.names)}

    def get_or_add_place(self, name: str) -> int:
        """The place of a document, which is added when it is new."""
        if name not in self._place_by_name:
            self._place_by_name[name] = len(self.names)
            self.names.append(name)
        return self._place_by_name[name]

    def add_judgement(self, pair: PlacePair, share: float | None) -> None:
        """Take a judgement in; one that failed has no share and counts for nothing."""
        if share is not None:
            self.pairs.append(pair)
            self.win_shares.append(share)

    def draw_first_cycles(self, count: int, draw: np.random.Generator) -> list[PlacePair]:
        """Random cycles over all documents."""
        return draw_cycles(range(len(self.names)), count, draw)

    def draw_second_cycles(self, top: int, count: int, draw: np.random.Generator) -> list[PlacePair]:
        """Random cycles over the provisional best, where the order matters."""
        return draw_cycles(self.rank_best_places(top), count, draw, self.pairs)

    def rank_best_places(self, count: int) -> list[int]:
        """Places of the documents with the highest scores, of equals the first."""
        return sorted(range(len(self.names)), key=lambda i: (-self.scores[i], i))[:count]

    def fit_scores(self, link: LinkFunction) -> None:
        """Fit scores, with mean 0, and their standard errors to the judgements."""
        found = fit_pairwise_scores(len(self.names), self.pairs, self.win_shares, link)
        self.scores, self.standard_errors = found.scores.tolist(), found.standard_errors.tolist()

    def compute_global_score(self, place: int) -> float:
        """A document's score on the scale of all queries."""
        return self.scores[place] + self.level

    def list_connected_places(self) -> list[int]:
        """Places of the largest part that is connected by judgements: only there do scores compare."""
        return sorted(find_connected_items(len(self.names), self.pairs)[0]) if self.pairs else []


def draw_cross_query_pairs(contests: Sequence[QueryComparisons], count: int, draw: np.random.Generator) -> list[tuple[PlacePair, PlacePair]]:
    """Comparisons between queries: random cycles over the queries, with one of the best documents of each.

    Each is ((contest, document), (contest, document)).
    """
    if len(contests) < 2:
        return []
    close = [contest.rank_best_places(BEST_PER_QUERY) for contest in contests]
    return [
        ((a, close[a][int(draw.integers(len(close[a])))]), (b, close[b][int(draw.integers(len(close[b])))]))
        for a, b in draw_cycles(range(len(contests)), count, draw)
    ]


def anchor_levels(contests: Sequence[QueryComparisons]) -> None:
    """Set each query's level, to be added to its scores, so that its floor is at 0.

    Comparisons within a query leave open how good its documents are as a whole. Their mean is no anchor, as it rises
    with the number of good ones; but the worst candidates of any query are of no use to it, and so of the same worth.
    """
    import numpy as np

    for contest in contests:
        mine = [contest.scores[place] for place in contest.list_connected_places()]
        contest.level = -float(np.quantile(mine, FLOOR_QUANTILE)) if mine else 0.0


def adjust_levels(
    contests: Sequence[QueryComparisons], edges: Sequence[tuple[PlacePair, PlacePair]], shares: Sequence[float], link: LinkFunction
) -> None:
    """Correct the levels by comparisons between queries: one more fit, whose items are the queries.

    Scores and floors are held fixed, and what they leave open is the cross-query bias of zELO.
    """
    pairs = [(a, b) for (a, _), (b, _) in edges]
    known = [contests[a].compute_global_score(i) - contests[b].compute_global_score(j) for (a, i), (b, j) in edges]
    found = fit_pairwise_scores(len(contests), pairs, shares, link, offsets=known, spread=LEVEL_SPREAD)
    for contest, value in zip(contests, found.scores.tolist(), strict=True):
        contest.level += value


def compute_reliability(contests: Sequence[QueryComparisons]) -> float:
    """The share of the variance of scores that is no error, 0 to 1, over all queries."""
    import numpy as np

    spread = [float(np.var(contest.scores)) for contest in contests]
    noise = [float(np.mean(np.square(contest.standard_errors))) for contest in contests]
    total = sum(spread)
    return max(0.0, 1 - sum(noise) / total) if total else 0.0


def compute_score_range(contests: Sequence[QueryComparisons]) -> tuple[float, float]:
    """The scores, level included, that become 0 and 1: the same for all queries, so that targets compare.

    Quantiles and not extremes, so that one lucky document does not press all others together.
    """
    import numpy as np

    values: NDArray[np.float64] = np.array([
        contest.compute_global_score(place) for contest in contests for place in contest.list_connected_places()
    ])
    low, high = np.quantile(values, [0.05, 0.995])
    return float(low), float(max(high, low + 1e-9))
