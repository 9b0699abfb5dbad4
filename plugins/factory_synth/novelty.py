"""The floor under what is new: a made text may not be near to one that exists, by its letters or by its meaning."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from factory.api import RowsJob, normalise
from factory.text.near_duplicates import compute_jaccard, extract_shingles

SAME_TEXT_REASON = "are the same as a text that exists"
NEAR_TEXT_REASON = "are near to a text that exists"
SAME_MEANING_REASON = "mean what a text that exists means"
COSINE_DIGITS = 4
ROUNDING_ERROR = 1e-9


class GrowingShingleIndex:
    """Texts by their character 5-grams, that grow and can be asked how near another comes to any of them."""

    def __init__(self) -> None:
        self._bags: list[frozenset[str]] = []
        self._postings: defaultdict[str, list[int]] = defaultdict(list)

    def add(self, normal: str) -> None:
        bag = extract_shingles(normal)
        for gram in bag:
            self._postings[gram].append(len(self._bags))
        self._bags.append(bag)

    def find_max_similarity(self, normal: str, threshold: float) -> float:
        """The greatest Jaccard similarity with a text, where it is `threshold` or more; else 0.

        A text that is near shares so many grams that it has one of the rarest few: only those are looked up.
        """
        bag = extract_shingles(normal)
        rare = sorted(bag, key=lambda gram: (len(self._postings.get(gram, ())), gram))
        few = rare[: len(bag) - math.ceil(threshold * len(bag) - ROUNDING_ERROR) + 1]
        found = {place for gram in few for place in self._postings.get(gram, ())}
        best = max((compute_jaccard(bag, self._bags[place]) for place in found), default=0.0)
        return best if best + ROUNDING_ERROR >= threshold else 0.0


class NoveltyFilter:
    """Texts so far, and whether others are new beside them.

    `near` is a Jaccard similarity of character 5-grams and `cosine` one of embeddings, from which on a text is no
    longer new; a cosine of 1 asks no embedder.
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
        """Why each text is refused, or nothing for one that is new: it then counts as known, for those after it too."""
        vectors = list(self._embed_new_texts(texts))
        reasons = []
        for place, text in enumerate(texts):
            normal = normalise(text)
            reasons.append(self._find_letter_fault(normal) or self._find_meaning_fault(vectors, place))
            if not reasons[-1]:
                self._add_known_text(normal)
                self._vectors += vectors[place : place + 1]
        return reasons

    def _add_known_text(self, normal: str) -> None:
        if normal not in self._normals:
            self._normals.add(normal)
            self._shingles.add(normal)

    def _find_letter_fault(self, normal: str) -> str:
        if not normal:
            return "are empty"
        if normal in self._normals:
            return SAME_TEXT_REASON
        return NEAR_TEXT_REASON if self._near < 1 and self._shingles.find_max_similarity(normal, self._near) else ""

    def _find_meaning_fault(self, vectors: Sequence[Any], place: int) -> str:
        if not vectors or not self._vectors:
            return ""
        import numpy as np

        nearest = float(np.max(np.stack(self._vectors) @ vectors[place]))
        return SAME_MEANING_REASON if round(nearest, COSINE_DIGITS) >= self._cosine else ""

    def _embed_new_texts(self, texts: Sequence[str]) -> Any:
        if self._cosine >= 1 or not texts:
            return []
        return self._job.kit.embed(self._job.models["embedder"], list(texts), report=self._job.report)
