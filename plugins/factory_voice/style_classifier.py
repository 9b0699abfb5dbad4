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

    def predict_voice(self, texts: Sequence[str], limits: Sequence[int] = ()) -> list[float]:
        """Return the probability that each text is in the voice, averaged over its words; 0 for a blank text.

        With a limit for each text the average is over as many words, those of its least voiced sentences: greetings
        that pad a plain text beyond that length earn nothing.
        """
        sentences = [split_style_sentences(text) for text in texts]
        flat = [sentence for group in sentences for sentence in group]
        probabilities = iter(self._model.predict_proba(flat)[:, 1].tolist() if flat else [])
        scored = [[(next(probabilities), len(sentence.split())) for sentence in group] for group in sentences]
        every = limits or [0] * len(texts)
        return [_average_least_voiced(group, limit) for group, limit in zip(scored, every, strict=True)]

    def compute_style_auc(self, rows: Sequence[Row]) -> float:
        """Compute the AUC of answers against neutral answers of these rows."""
        from sklearn.metrics import roc_auc_score

        scores = self.predict_voice([*(row["answer"] for row in rows), *(row["neutral"] for row in rows)])
        return float(roc_auc_score([1] * len(rows) + [0] * len(rows), scores))


def _average_least_voiced(sentences: Sequence[tuple[float, int]], limit: int) -> float:
    """Average (probability, words) over the `limit` least voiced words; over all if there are fewer, or it is 0."""
    total = sum(words for _, words in sentences)
    left = limit = min(limit, total) if limit else total
    voiced = 0.0
    for probability, words in sorted(sentences):
        voiced += probability * min(words, left)
        left -= min(words, left)
    return voiced / limit if limit else 0.0


def split_style_sentences(text: str) -> list[str]:
    """Split a text after every full stop, question mark or exclamation mark followed by white space."""
    return [sentence for sentence in SENTENCE_BREAK.split(text.strip()) if sentence]


def _build_tfidf_vectorizer(analyzer: str, lengths: tuple[int, int]) -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer

    tokens = {"token_pattern": r"\w+(?:['’]\w+)*|[^\w\s]"} if analyzer == "word" else {}
    return TfidfVectorizer(analyzer=analyzer, ngram_range=lengths, sublinear_tf=True, **tokens)
