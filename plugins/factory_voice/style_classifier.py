"""Style classifier: how much a text sounds like the brand, fitted on voiced against neutral answers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from factory.api import Row

MAX_CLASSIFIER_ROWS = 2000
"""Maximum number of rows to fit on; a voice shows in far fewer."""

SENTENCE_BREAK = re.compile(r"(?<=[.!?…])\s+")


class StyleClassifier:
    """Logistic regression on TF-IDF of words, word pairs and character 2- to 4-grams of single sentences.

    A text's score is the mean over its sentences, weighted by length. Plain sentences between a voiced greeting and
    farewell therefore score low, although a classifier of whole texts would rate them high.
    """

    def __init__(self, rows: Sequence[Row]) -> None:
        """Fit on the `answer` of these rows as voiced and their `neutral` as plain. Raises ValueError without rows."""
        if not rows:
            raise ValueError("the style classifier needs training rows")
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline, make_union

        sample = rows[:: -(-len(rows) // MAX_CLASSIFIER_ROWS)]
        voiced = [sentence for row in sample for sentence in split_style_sentences(row["answer"])]
        plain = [sentence for row in sample for sentence in split_style_sentences(row["neutral"])]
        self._model: Any = make_pipeline(
            make_union(_build_tfidf_vectorizer("word", (1, 2)), _build_tfidf_vectorizer("char_wb", (2, 4))),
            LogisticRegression(C=10, max_iter=1000, class_weight="balanced"),
        )
        self._model.fit([*voiced, *plain], [1] * len(voiced) + [0] * len(plain))

    def predict_voice(self, texts: Sequence[str]) -> list[float]:
        """Return the probability that each text is in the voice, averaged over its words; 0 for a blank text."""
        sentences = [split_style_sentences(text) for text in texts]
        flat = [sentence for group in sentences for sentence in group]
        probabilities = iter(self._model.predict_proba(flat)[:, 1].tolist() if flat else [])
        means = []
        for group in sentences:
            lengths = [len(sentence.split()) for sentence in group]
            total = sum(next(probabilities) * length for length in lengths)
            means.append(total / sum(lengths) if group else 0.0)
        return means

    def compute_style_auc(self, rows: Sequence[Row]) -> float:
        """Compute the AUC of answers against neutral answers of these rows."""
        from sklearn.metrics import roc_auc_score

        scores = self.predict_voice([*(row["answer"] for row in rows), *(row["neutral"] for row in rows)])
        return float(roc_auc_score([1] * len(rows) + [0] * len(rows), scores))


def split_style_sentences(text: str) -> list[str]:
    """Split a text after every full stop, question mark or exclamation mark followed by white space."""
    return [sentence for sentence in SENTENCE_BREAK.split(text.strip()) if sentence]


def _build_tfidf_vectorizer(analyzer: str, lengths: tuple[int, int]) -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer

    tokens = {"token_pattern": r"\w+(?:['’]\w+)*|[^\w\s]"} if analyzer == "word" else {}
    return TfidfVectorizer(analyzer=analyzer, ngram_range=lengths, sublinear_tf=True, **tokens)
