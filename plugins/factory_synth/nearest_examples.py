"""Select few-shot examples: the labelled rows most similar to a text."""

from __future__ import annotations

from collections.abc import Sequence

from factory.api import Row

MAX_LABELLED_POOL = 5000
"""Maximum number of labelled rows to search for examples."""

CHUNK_ROWS = 256
SIMILARITY_DIGITS = 6


def find_nearest_examples(
    texts: Sequence[str], rows: Sequence[Row], known: Sequence[str], count: int
) -> list[list[Row]]:
    """Find for each text the `count` rows with the most similar texts (`known`), the nearest last, next to the query.

    Similarity is the cosine of TF-IDF vectors over character 2- to 4-grams within words; ties are broken by row id.
    """
    if not count or not rows or not texts:
        return [[] for _ in texts]
    import numpy as np
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectoriser = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True, max_features=50_000)
    known_vectors = vectoriser.fit_transform([*known, "empty"])[: len(known)]  # an empty vocabulary raises an error
    order = np.array(sorted(range(len(rows)), key=lambda index: rows[index].id))
    nearest = []
    for start in range(0, len(texts), CHUNK_ROWS):
        cosines = (vectoriser.transform(texts[start : start + CHUNK_ROWS]) @ known_vectors[order].T).toarray()
        # Rounding before a stable sort: equal texts tie exactly, on every machine, and then go by id.
        best = np.argsort(-np.round(cosines, SIMILARITY_DIGITS), axis=1, kind="stable")[:, :count]
        nearest += [[rows[order[index]] for index in reversed(indices)] for indices in best.tolist()]
    return nearest
