"""Which training rows stand in a prompt as worked examples, and in what order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from factory.api import Row

MAX_POOL_ROWS = 1000
"""Rows, at most, among which a fixed set is looked for."""

SIMILARITY_CHUNK_ROWS = 256
"""Rows whose nearness to all others is held at the same time."""

Vectors = Any
"""One row of unit length a text: a numpy array, or a sparse matrix of scipy's."""

TextEmbedder = Callable[[Sequence[str]], Vectors]


def fit_tfidf_embedder(texts: Sequence[str]) -> TextEmbedder:
    """Texts as TF-IDF of their characters, two to four within a word, with the weights of `texts`."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    space = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True, max_features=50_000)
    space.fit([*texts, "empty"])  # a vocabulary needs one character at least
    return lambda asked: space.transform(list(asked))


class FewShotSelector:
    """Training rows that can be asked for examples: a few that are diverse, or those nearest to a row.

    Both come the least fitting first, so that the last one, next to the question, is the best one.
    """

    def __init__(self, rows: Sequence[Row], text: Callable[[Row], str], embed: TextEmbedder, seed: int) -> None:
        self._rows, self._text, self._embed, self._seed = rows, text, embed, seed
        self._vectors = embed([text(row) for row in rows])

    def select_nearest(self, asked: Sequence[Row], count: int) -> list[list[Row]]:
        """For each row the `count` training rows whose texts are nearest to its own by cosine."""
        import numpy as np

        found = []
        for at in range(0, len(asked), SIMILARITY_CHUNK_ROWS):
            texts = [self._text(row) for row in asked[at : at + SIMILARITY_CHUNK_ROWS]]
            near = _convert_to_dense(self._embed(texts) @ self._vectors.T)
            best = np.argsort(-np.round(near, 6), axis=1, kind="stable")[:, :count]
            found += [[self._rows[i] for i in reversed(order)] for order in best.tolist()]
        return found

    def select_fixed(self, count: int, label: Callable[[Row], str] | None = None) -> list[Row]:
        """The same `count` rows for every question: with labels, typical rows of each in turn, the frequent labels
        first; else the middles of `count` clusters of texts, the large clusters first."""
        best = self._rank_typical_by_label(label) if label else self._rank_typical_by_cluster(count)
        return [self._rows[i] for i in reversed(best[:count])]

    def _rank_typical_by_label(self, label: Callable[[Row], str]) -> list[int]:
        members: defaultdict[str, list[int]] = defaultdict(list)
        for place in self._sample_pool():
            members[label(self._rows[place])].append(place)
        frequent = sorted(members, key=lambda name: (-len(members[name]), name))
        typical = [
            self._sort_by_similarity(members[name], self._compute_mean_vector(members[name])) for name in frequent
        ]
        return [order[turn] for turn in range(len(self._rows)) for order in typical if turn < len(order)]

    def _rank_typical_by_cluster(self, count: int) -> list[int]:
        from sklearn.cluster import KMeans

        pool = self._sample_pool()
        clusters = KMeans(min(count, len(pool)), n_init=4, random_state=self._seed).fit(self._vectors[pool])
        members: defaultdict[int, list[int]] = defaultdict(list)
        for place, cluster in zip(pool, clusters.labels_.tolist(), strict=True):
            members[cluster].append(place)
        large = sorted(members, key=lambda cluster: (-len(members[cluster]), members[cluster]))
        return [
            self._sort_by_similarity(members[cluster], self._compute_mean_vector(members[cluster]))[0]
            for cluster in large
        ]

    def _sample_pool(self) -> list[int]:
        from random import Random

        places = list(range(len(self._rows)))
        return places if len(places) <= MAX_POOL_ROWS else sorted(Random(self._seed).sample(places, MAX_POOL_ROWS))

    def _compute_mean_vector(self, places: list[int]) -> Any:
        import numpy as np

        return np.asarray(self._vectors[places].mean(axis=0)).reshape(-1)

    def _sort_by_similarity(self, places: list[int], middle: Any) -> list[int]:
        near = _convert_to_dense(self._vectors[places] @ middle).reshape(-1).round(6).tolist()
        return [place for _, place in sorted(zip(near, places, strict=True), key=lambda pair: (-pair[0], pair[1]))]


def _convert_to_dense(vectors: Vectors) -> Any:
    return vectors.toarray() if hasattr(vectors, "toarray") else vectors
