"""How much a text sounds like the brand: a classifier fitted on answers in the voice against plain ones."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from factory.api import Row

MAX_CLASSIFIER_ROWS = 2000
"""Rows that the classifier is fitted on, at most: a voice shows in far fewer."""

SENTENCE_BREAK = re.compile(r"(?<=[.!?…])\s+")


class StyleClassifier:
    """Logistic regression on TF-IDF of words, word pairs and character 2- to 4-grams of single sentences.

    A text has the voice that its sentences have, each counting by its length: a greeting and a farewell in the
    voice around plain sentences give such a text little, where a classifier of whole texts would be content.
    """

    def __init__(self, rows: Sequence[Row]) -> None:
        """Fit on the `answer` of these rows as voice and their `neutral` as none. Raises ValueError without rows."""
        if not rows:
            raise ValueError("the style classifier needs training rows")
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline, make_union

        some = rows[:: -(-len(rows) // MAX_CLASSIFIER_ROWS)]
        voiced, plain = ([part for row in some for part in split_style_sentences(row[name])] for name in ("answer", "neutral"))
        self._model: Any = make_pipeline(
            make_union(_build_tfidf_vectorizer("word", (1, 2)), _build_tfidf_vectorizer("char_wb", (2, 4))),
            LogisticRegression(C=10, max_iter=1000, class_weight="balanced"),
        )
        self._model.fit([*voiced, *plain], [1] * len(voiced) + [0] * len(plain))

    def predict_voice(self, texts: Sequence[str]) -> list[float]:
        """The probability of each text to be in the voice, as the mean over its words; 0 for a blank one."""
        parts = [split_style_sentences(text) for text in texts]
        flat = [part for each in parts for part in each]
        chances = iter(self._model.predict_proba(flat)[:, 1].tolist() if flat else [])
        return [_compute_weighted_mean([(next(chances), len(part.split())) for part in each]) for each in parts]

    def compute_style_auc(self, rows: Sequence[Row]) -> float:
        """The chance that of an answer and a plain answer of these rows, drawn at random, the answer gets more."""
        from sklearn.metrics import roc_auc_score

        chances = self.predict_voice([*(row["answer"] for row in rows), *(row["neutral"] for row in rows)])
        return float(roc_auc_score([1] * len(rows) + [0] * len(rows), chances))


def split_style_sentences(text: str) -> list[str]:
    """A text cut after every full stop, question mark or exclamation mark that white space follows."""
    return [part for part in SENTENCE_BREAK.split(text.strip()) if part]


def _compute_weighted_mean(weighted: Sequence[tuple[float, int]]) -> float:
    total = sum(weight for _, weight in weighted)
    return sum(value * weight for value, weight in weighted) / total if total else 0.0


def _build_tfidf_vectorizer(analyzer: str, lengths: tuple[int, int]) -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer

    tokens = {"token_pattern": r"\w+(?:['’]\w+)*|[^\w\s]"} if analyzer == "word" else {}
    return TfidfVectorizer(analyzer=analyzer, ngram_range=lengths, sublinear_tf=True, **tokens)
