"""The strongest cheap rival of a reranker: gradient-boosted trees over the signals of the first stage and of the words.

Nothing of it is fine-tuned: what an engineer would try first (Liu 2009, "Learning to Rank for Information Retrieval").
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import Field

from factory.api import Answer, AnswerJob, Contender, Row, render
from factory_rerank.ranking_metrics import compute_ranking_metrics, rank_candidates
from factory_rerank.rendered_texts import render_side_documents

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Features = NDArray[np.float64]

SCORE_DIGITS = 9
SIGNALS = ("bm25", "cosine", "hybrid")


class LearningToRank(Contender):
    """Gradient-boosted trees over BM25, cosine, TF-IDF of words and characters, overlap, lengths and ranks.

    They learn from the candidates of the training rows; the depth of the trees is chosen on validation rows.
    """

    kind = "ltr"
    columns = ("query", "candidates", "signals", "relevant")
    output_type = "ranking"

    depths: list[int] = Field([2, 3, 5], min_length=1, description="depths of trees to try on validation rows")
    trees: int = Field(150, ge=1, le=10_000, description="number of trees")
    learning_rate: float = Field(0.08, gt=0, le=1, description="weight of each tree")

    def answer(self, job: AnswerJob) -> Iterator[Answer]:
        read = _FeatureReader(job).read_rows
        train = [row for row in job.train if row.columns.get("candidates")]
        grades = [float(row["relevant"].get(name, 0)) for row in train for name in row["candidates"]]
        if not any(grades):
            raise ValueError("no training row has a relevant document among its candidates; raise task.top_k")
        models = self._fit_trees(read(train), grades, job.seed)
        validation = [row for row in job.validation if row["relevant"]]
        features = read(validation)
        scores = {
            depth: _score_answers(validation, _rank(model, validation, features)) for depth, model in models.items()
        }
        best = max(scores, key=lambda depth: (round(scores[depth], 6), -depth))
        job.record_facts(depth=best, validation={str(depth): round(score, 4) for depth, score in scores.items()})
        yield from _rank(models[best], job.rows, read(job.rows))

    def _fit_trees(self, features: Features, grades: Sequence[float], seed: int) -> dict[int, Any]:
        """Return depth → a model of the probability that a candidate is relevant."""
        import numpy as np
        from sklearn.ensemble import HistGradientBoostingClassifier

        relevant = np.array(grades) > 0
        return {
            depth: HistGradientBoostingClassifier(
                max_depth=depth, max_iter=self.trees, learning_rate=self.learning_rate, random_state=seed,
                early_stopping=False,
            ).fit(features, relevant)
            for depth in sorted(set(self.depths))
        }


class _FeatureReader:
    """Turns the candidates of a row into numbers: one line a candidate."""

    def __init__(self, job: AnswerJob) -> None:
        from sklearn.feature_extraction.text import TfidfVectorizer

        self.query_template = job.task.get_templates()["query"]
        texts = render_side_documents(job)
        self.positions = {name: position for position, name in enumerate(texts)}
        self.words = [set(text.lower().split()) for text in texts.values()]
        self.lengths = [len(text.split()) for text in texts.values()]
        vectorizers = (
            TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True),
            TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"(?u)\b\w+\b"),
        )
        self.indexes = [(each, each.fit_transform(list(texts.values()))) for each in vectorizers]

    def read_rows(self, rows: Sequence[Row]) -> Features:
        """Return the features of the candidates of all rows, one row after another: (candidates, features)."""
        import numpy as np

        queries = [render(self.query_template, row.columns) for row in rows]
        parts = [np.zeros((0, 3 * (len(SIGNALS) + len(self.indexes)) + 3))]
        vectors = [vectorizer.transform(queries) for vectorizer, _ in self.indexes] if queries else []
        for place, (row, query) in enumerate(zip(rows, queries, strict=True)):
            if row["candidates"]:
                parts.append(self._read_candidates(row, query, [each[place] for each in vectors]))
        return np.concatenate(parts)

    def _read_candidates(self, row: Row, query: str, vectors: Sequence[Any]) -> Features:
        """Return the features of a row's candidates: (candidates, features)."""
        import numpy as np

        places = [self.positions[name] for name in row["candidates"]]
        signals = [np.array(row["signals"][name], dtype=np.float64) for name in SIGNALS]
        for (_, documents), vector in zip(self.indexes, vectors, strict=True):
            signals.append((documents[places] @ vector.T).toarray().ravel())
        asked = set(query.lower().split())
        overlap = [len(asked & self.words[place]) / max(1, len(asked)) for place in places]
        lengths = [self.lengths[place] for place in places]
        # Trees do not subtract: how far a candidate is from the best of its query is a feature of its own.
        behind = [signal - signal.max() for signal in signals]
        ranks = [np.argsort(np.argsort(-signal, kind="stable"), kind="stable") for signal in signals]
        return np.stack([*signals, *behind, *ranks, overlap, lengths, np.full(len(places), len(asked))], axis=1)


def _rank(model: Any, rows: Sequence[Row], features: Features) -> list[Answer]:
    """Return a probability for every candidate of every row, from the features of all rows."""
    probabilities = iter(model.predict_proba(features)[:, 1].tolist() if len(features) else ())
    return [Answer(row.id, [round(next(probabilities), SCORE_DIGITS) for _ in row["candidates"]]) for row in rows]


def _score_answers(rows: Sequence[Row], answers: Sequence[Answer]) -> float:
    """Return the mean nDCG@10; 0.0 without rows."""
    values = [
        compute_ranking_metrics(rank_candidates(row, answer), row["relevant"])["ndcg@10"]
        for row, answer in zip(rows, answers, strict=True)
    ]
    return sum(values) / len(values) if values else 0.0
