"""Few-shot examples: which training rows a prompt shows, and in what order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from factory.api import Row

MAX_POOL_ROWS = 1000
"""Largest number of rows from which a fixed set of examples is chosen."""

SIMILARITY_CHUNK_ROWS = 256
"""Rows compared with all training rows at a time."""

Vectors = Any
"""One unit vector per text: a numpy array or a scipy sparse matrix."""

TextEmbedder = Callable[[Sequence[str]], Vectors]


def fit_tfidf_embedder(texts: Sequence[str]) -> TextEmbedder:
    """Fit TF-IDF of character 2- to 4-grams within words on `texts`."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    space = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True, max_features=50_000)
    space.fit([*texts, "empty"])  # the vocabulary must not be empty
    return lambda batch: space.transform(list(batch))


class FewShotSelector:
    """Selects examples among training rows: a diverse fixed set, or the nearest neighbours of a row.

    Examples are in ascending order of fit, so that the best one is last, next to the question.
    """

    def __init__(self, rows: Sequence[Row], text: Callable[[Row], str], embed: TextEmbedder, seed: int) -> None:
        self._rows, self._text, self._embed, self._seed = rows, text, embed, seed
        self._vectors = embed([text(row) for row in rows])

    def select_nearest(self, rows: Sequence[Row], count: int) -> list[list[Row]]:
        """Return for each row the `count` training rows with the most similar texts, by cosine."""
        import numpy as np

        examples = []
        for start in range(0, len(rows), SIMILARITY_CHUNK_ROWS):
            texts = [self._text(row) for row in rows[start : start + SIMILARITY_CHUNK_ROWS]]
            similarities = _convert_to_dense(self._embed(texts) @ self._vectors.T)
            # Rounded, so that the order of equals does not depend on the last bits of a sum.
            best = np.argsort(-np.round(similarities, 6), axis=1, kind="stable")[:, :count]
            examples += [[self._rows[i] for i in reversed(order)] for order in best.tolist()]
        return examples

    def select_fixed(self, count: int, label: Callable[[Row], str] | None = None) -> list[Row]:
        """Return `count` rows for all questions: typical rows of each label in turn, the frequent labels first; without
        labels, the rows nearest to the centres of `count` k-means clusters, the large clusters first."""
        ranking = self._rank_typical_by_label(label) if label else self._rank_typical_by_cluster(count)
        return [self._rows[i] for i in reversed(ranking[:count])]

    def _rank_typical_by_label(self, label: Callable[[Row], str]) -> list[int]:
        members: defaultdict[str, list[int]] = defaultdict(list)
        for index in self._sample_pool():
            members[label(self._rows[index])].append(index)
        frequent = sorted(members, key=lambda name: (-len(members[name]), name))
        typical = [self._sort_by_typicality(members[name]) for name in frequent]
        return [order[turn] for turn in range(len(self._rows)) for order in typical if turn < len(order)]

    def _rank_typical_by_cluster(self, count: int) -> list[int]:
        from sklearn.cluster import KMeans

        pool = self._sample_pool()
        clusters = KMeans(min(count, len(pool)), n_init=4, random_state=self._seed).fit(self._vectors[pool])
        members: defaultdict[int, list[int]] = defaultdict(list)
        for index, cluster in zip(pool, clusters.labels_.tolist(), strict=True):
            members[cluster].append(index)
        large_first = sorted(members.values(), key=lambda indices: (-len(indices), indices))
        return [self._sort_by_typicality(indices)[0] for indices in large_first]

    def _sample_pool(self) -> list[int]:
        indices = list(range(len(self._rows)))
        return indices if len(indices) <= MAX_POOL_ROWS else sorted(Random(self._seed).sample(indices, MAX_POOL_ROWS))

    def _sort_by_typicality(self, indices: list[int]) -> list[int]:
        """Sort rows by the similarity of their vectors to the mean vector, highest first; ties by index."""
        import numpy as np

        vectors = self._vectors[indices]
        centre = np.asarray(vectors.mean(axis=0)).reshape(-1)
        similarities = _convert_to_dense(vectors @ centre).reshape(-1).round(6).tolist()
        ranked = sorted(zip(similarities, indices, strict=True), key=lambda pair: (-pair[0], pair[1]))
        return [index for _, index in ranked]


class FixedExamples:
    """Examples that were selected before, the same for every row."""

    def __init__(self, examples: Sequence[Row]) -> None:
        self._examples = list(examples)

    def select_nearest(self, rows: Sequence[Row], count: int) -> list[list[Row]]:
        """Return the last `count` examples for each row."""
        return [self.select_fixed(count) for _ in rows]

    def select_fixed(self, count: int, label: Callable[[Row], str] | None = None) -> list[Row]:
        """Return the last `count` examples."""
        return self._examples[-count:]


def _convert_to_dense(vectors: Vectors) -> Any:
    return vectors.toarray() if hasattr(vectors, "toarray") else vectors
