"""Which labelled rows stand as worked examples beside a text: those that read most like it."""

from __future__ import annotations

from collections.abc import Sequence

from factory.api import Row

MAX_LABELLED_POOL = 5000
"""Labelled rows, at most, among which examples are looked for."""

CHUNK_ROWS = 256
SIMILARITY_DIGITS = 6


def find_nearest_examples(texts: Sequence[str], rows: Sequence[Row], known: Sequence[str], count: int) -> list[list[Row]]:
    """For each text the `count` rows whose texts, `known`, are nearest; the nearest last, next to the question.

    Nearness is the cosine of TF-IDF over character 2- to 4-grams within words; ties go by the row's id.
    """
    if not count or not rows or not texts:
        return [[] for _ in texts]
    import numpy as np
    from sklearn.feature_extraction.text import TfidfVectorizer

    space = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True, max_features=50_000)
    there = space.fit_transform([*known, "empty"])[: len(known)]  # a vocabulary needs one character at least
    order = np.array(sorted(range(len(rows)), key=lambda place: rows[place].id))
    found = []
    for start in range(0, len(texts), CHUNK_ROWS):
        near = np.round((space.transform(texts[start : start + CHUNK_ROWS]) @ there[order].T).toarray(), SIMILARITY_DIGITS)
        best = np.argsort(-near, axis=1, kind="stable")[:, :count]
        found += [[rows[order[place]] for place in reversed(line)] for line in best.tolist()]
    return found
