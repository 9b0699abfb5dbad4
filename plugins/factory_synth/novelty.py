"""The floor under what is new: a made text may not be near to one that exists, by its letters or by its meaning."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from factory.api import RowsJob, normalise, twins

SAME = "are the same as a text that exists"
NEAR = "are near to a text that exists"
MEANT = "mean what a text that exists means"
DIGITS = 4


class Novelty:
    """Texts so far, and whether others are new beside them.

    `near` is a Jaccard similarity of character 5-grams and `cosine` one of embeddings, from which on a text is no
    longer new; a cosine of 1 asks no embedder.
    """

    def __init__(self, job: RowsJob, known: Sequence[str], near: float, cosine: float = 1.0) -> None:
        self._job, self._near, self._cosine = job, near, cosine
        self._known = list(dict.fromkeys(known))
        self._vectors: list[Any] = list(self._embedded(self._known))

    def sift(self, texts: Sequence[str]) -> list[str]:
        """Why each text is refused, or nothing for one that is new: it then counts as known, for those after it too."""
        before = {f"known {place}": text for place, text in enumerate(self._known)}
        asked = {f"asked {place}": text for place, text in enumerate(texts)}
        alike = {name: value for name, _, value in twins({**before, **asked}, self._near)}
        vectors = list(self._embedded(texts))
        reasons = []
        for place, (name, text) in enumerate(asked.items()):
            why = (SAME if alike[name] == 1 else NEAR) if name in alike else self._meant(vectors, place)
            reasons.append(why if normalise(text) else "are empty")
            if not reasons[-1]:
                self._known.append(text)
                self._vectors += vectors[place : place + 1]
        return reasons

    def _meant(self, vectors: Sequence[Any], place: int) -> str:
        if not vectors or not self._vectors:
            return ""
        import numpy as np

        nearest = float(np.max(np.stack(self._vectors) @ vectors[place]))
        return MEANT if round(nearest, DIGITS) >= self._cosine else ""

    def _embedded(self, texts: Sequence[str]) -> Any:
        if self._cosine >= 1 or not texts:
            return []
        return self._job.kit.embed(self._job.models["embedder"], list(texts), report=self._job.report)
