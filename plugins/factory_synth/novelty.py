"""Reject generated texts that are near duplicates of known ones, by shingles or by meaning."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from factory.api import RowsJob, normalise
from factory.text.near_duplicates import GrowingShingleIndex

COSINE_DIGITS = 4


class NoveltyFilter:
    """Known texts, and a check whether others are new.

    `near` is a Jaccard similarity of character 5-grams and `cosine` one of embeddings, from which a text is not new.
    A cosine of 1 uses no embedder.
    """

    def __init__(self, job: RowsJob, known: Sequence[str], near: float, cosine: float = 1.0) -> None:
        self._job, self._near, self._cosine = job, near, cosine
        self._normals: set[str] = set()
        self._shingles = GrowingShingleIndex()
        texts = list(dict.fromkeys(known))
        for text in texts:
            self._add_known_text(normalise(text))
        self._vectors: list[Any] = list(self._embed_new_texts(texts))

    def find_refusal_reasons(self, texts: Sequence[str]) -> list[str]:
        """Return why each text is rejected, or an empty string; a new text counts as known for the ones after it."""
        vectors = list(self._embed_new_texts(texts))
        reasons = []
        for index, text in enumerate(texts):
            normal, vector = normalise(text), vectors[index : index + 1]
            reasons.append(self._find_repeated_text(normal) or self._find_repeated_meaning(vector))
            if not reasons[-1]:
                self._add_known_text(normal)
                self._vectors += vector
        return reasons

    def _add_known_text(self, normal: str) -> None:
        if normal not in self._normals:
            self._normals.add(normal)
            self._shingles.add(normal)

    def _find_repeated_text(self, normal: str) -> str:
        if not normal:
            return "is empty"
        if normal in self._normals:
            return "repeats a known text"
        is_near = self._near < 1 and self._shingles.find_max_similarity(normal, self._near)
        return "is a near duplicate of a known text" if is_near else ""

    def _find_repeated_meaning(self, vector: Sequence[Any]) -> str:
        if not vector or not self._vectors:
            return ""
        import numpy as np

        nearest = float(np.max(np.stack(self._vectors) @ vector[0]))
        return "means the same as a known text" if round(nearest, COSINE_DIGITS) >= self._cosine else ""

    def _embed_new_texts(self, texts: Sequence[str]) -> Any:
        if self._cosine >= 1 or not texts:
            return []
        return self._job.kit.embed(self._job.models["embedder"], list(texts), report=self._job.report)
