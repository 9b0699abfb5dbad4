"""Pairwise comparisons of a query's documents, their fitted scores, and alignment of scores across queries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from factory.api import Row
from factory_rerank.zelo.comparison_graph import IndexPair, draw_cycles, find_connected_items
from factory_rerank.zelo.score_fitting import LinkFunction, fit_pairwise_scores

if TYPE_CHECKING:
    import numpy as np

FLOOR_QUANTILE = 0.25
"""Quantile of a query's scores that is taken to be equally bad for every query."""
LEVEL_SPREAD = 0.3
"""Prior standard deviation of a query's level around its floor; the best of 0.2 to 1 in simulations."""
BEST_PER_QUERY = 10
"""Number of best documents from which one is drawn for a comparison across queries."""


@dataclass
class QueryComparisons:
    """A row with its documents, the judge, and the judgements so far.

    A pair holds two indices into `names`; its share is the first one's probability of winning.
    """

    row: Row
    names: list[str]
    judge_name: str = ""
    pairs: list[IndexPair] = field(default_factory=list)
    win_shares: list[float] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    standard_errors: list[float] = field(default_factory=list)
    level: float = 0.0
    _index_by_name: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._index_by_name = {name: index for index, name in enumerate(self.names)}

    def get_or_add_index(self, name: str) -> int:
        """Return the index of a document, adding it if it is new."""
        if name not in self._index_by_name:
            self._index_by_name[name] = len(self.names)
            self.names.append(name)
        return self._index_by_name[name]

    def add_judgement(self, pair: IndexPair, share: float | None) -> None:
        """Record a judgement; a failed one has no share and is ignored."""
        if share is not None:
            self.pairs.append(pair)
            self.win_shares.append(share)

    def draw_first_cycles(self, count: int, draw: np.random.Generator) -> list[IndexPair]:
        """Draw random cycles over all documents."""
        return draw_cycles(range(len(self.names)), count, draw)

    def draw_second_cycles(self, top: int, count: int, draw: np.random.Generator) -> list[IndexPair]:
        """Draw random cycles over the provisional best, where the order matters."""
        return draw_cycles(self.rank_best(top), count, draw, self.pairs)

    def rank_best(self, count: int) -> list[int]:
        """Return the indices of the documents with the highest scores, ties by index."""
        return sorted(range(len(self.names)), key=lambda i: (-self.scores[i], i))[:count]

    def fit_scores(self, link: LinkFunction) -> None:
        """Fit scores, with mean 0, and their standard errors to the judgements."""
        fit = fit_pairwise_scores(len(self.names), self.pairs, self.win_shares, link)
        self.scores, self.standard_errors = fit.scores.tolist(), fit.standard_errors.tolist()

    def compute_global_score(self, index: int) -> float:
        """Return a document's score on the scale shared by all queries."""
        return self.scores[index] + self.level

    def list_connected(self) -> list[int]:
        """Return the documents of the largest connected component; only there are scores comparable."""
        return sorted(find_connected_items(len(self.names), self.pairs)[0]) if self.pairs else []


def draw_cross_query_pairs(
    queries: Sequence[QueryComparisons], count: int, draw: np.random.Generator
) -> list[tuple[IndexPair, IndexPair]]:
    """Draw comparisons across queries: random cycles over the queries, with one of the best documents of each.

    Each is ((query, document), (query, document)), as indices.
    """
    if len(queries) < 2:
        return []
    best = [query.rank_best(BEST_PER_QUERY) for query in queries]
    return [
        ((a, best[a][int(draw.integers(len(best[a])))]), (b, best[b][int(draw.integers(len(best[b])))]))
        for a, b in draw_cycles(range(len(queries)), count, draw)
    ]


def anchor_levels(queries: Sequence[QueryComparisons]) -> None:
    """Set each query's level, which is added to its scores, so that its floor is at 0.

    Comparisons within a query do not determine how good its documents are overall. Their mean is no anchor, since it
    rises with the number of good ones; but the worst candidates of any query are equally useless.
    """
    import numpy as np

    for query in queries:
        scores = [query.scores[index] for index in query.list_connected()]
        query.level = -float(np.quantile(scores, FLOOR_QUANTILE)) if scores else 0.0


def adjust_levels(
    queries: Sequence[QueryComparisons], edges: Sequence[tuple[IndexPair, IndexPair]], shares: Sequence[float],
    link: LinkFunction,
) -> None:
    """Correct the levels by comparisons across queries, with one more fit whose items are the queries.

    Scores and floors are held fixed; the fitted rest is zELO's cross-query bias.
    """
    pairs = [(a, b) for (a, _), (b, _) in edges]
    known = [queries[a].compute_global_score(i) - queries[b].compute_global_score(j) for (a, i), (b, j) in edges]
    fit = fit_pairwise_scores(len(queries), pairs, shares, link, offsets=known, spread=LEVEL_SPREAD)
    for query, value in zip(queries, fit.scores.tolist(), strict=True):
        query.level += value


def compute_reliability(queries: Sequence[QueryComparisons]) -> float:
    """Compute the share of the variance of scores that is not error, 0 to 1, over all queries."""
    import numpy as np

    spread = [float(np.var(query.scores)) for query in queries]
    noise = [float(np.mean(np.square(query.standard_errors))) for query in queries]
    total = sum(spread)
    return max(0.0, 1 - sum(noise) / total) if total else 0.0


def compute_score_range(queries: Sequence[QueryComparisons]) -> tuple[float, float]:
    """Return the global scores that map to 0 and 1, the same for all queries.

    Quantiles instead of extremes, so that one outlier does not compress all other targets.
    """
    import numpy as np

    values = [query.compute_global_score(index) for query in queries for index in query.list_connected()]
    low, high = np.quantile(values, [0.05, 0.995])
    return float(low), float(max(high, low + 1e-9))
