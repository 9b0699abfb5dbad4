"""Training rows against frozen rows: who shares a group, a text or a meaning, and the proof that none is left."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from factory.api.rows import TEST, Row
from factory.api.synthetic_rows import get_row_group
from factory.text.near_duplicates import normalise
from factory.text.shingles import find_nearest_frozen

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    EmbedFunction = Callable[[Sequence[str]], NDArray[np.float32]]
    """Texts → unit vectors, (texts, hidden)."""

GROUP, EXACT, NEAR, SEMANTIC = "group", "exact", "near", "semantic"
COSINE_TOLERANCE = 1e-5
"""Two products of the same vectors may differ by so much: the proof is no stricter than what dropped rows was."""
COSINE_BLOCK_ROWS = 2048
"""Rows whose vectors are held against all frozen ones at once."""


@dataclass(frozen=True, slots=True)
class LeakageCriteria:
    """How near is too near. `on` are the columns that are compared, as one text.

    `near` is a Jaccard similarity of character 5-grams, `semantic` a cosine of what `embed` gives; 0 for none.
    """

    text_columns: tuple[str, ...]
    near_threshold: float
    semantic_threshold: float = 0.0
    embed: EmbedFunction | None = None

    def extract_compared_text(self, row: Row) -> str:
        """What is compared of a row; nothing when it has no text there."""
        found = [row.columns.get(column) for column in self.text_columns]
        return "\n".join(value for value in found if isinstance(value, str))


@dataclass(frozen=True, slots=True)
class Leak:
    """A training row too close to a frozen one, its `twin`. `similarity` is of their texts; 0 for a shared group."""

    row: str
    frozen_row: str
    match_type: str
    similarity: float

    @property
    def reason(self) -> str:
        """In words, for the list of dropped rows."""
        if self.match_type == GROUP:
            return "of the same group as a frozen row"
        if self.match_type == SEMANTIC:
            return f"{self.similarity:.2f} alike in meaning to a frozen row"
        same = "the same text as a frozen row"
        return same if self.match_type == EXACT else f"{self.similarity:.2f} similar to a frozen row"


def find_leaks(train: Sequence[Row], frozen: Sequence[Row], nearness: LeakageCriteria) -> list[Leak]:
    """Every training row that must go, in their order: by group first, then by equal, near and like-meaning text.

    A row made from others (its parents) goes when one of those is frozen, as if it were of its group.
    """
    by_group = {get_row_group(row, nearness.text_columns[0] if nearness.text_columns else ""): row.id for row in reversed(frozen)}
    frozen_ids = {row.id for row in frozen}
    found: dict[str, Leak] = {}
    for row in train:
        parents = [parent for parent in row.provenance.parents if parent in frozen_ids]
        twin = by_group.get(row.group) if row.group else None
        if twin or parents:
            found[row.id] = Leak(row.id, twin or parents[0], GROUP, 0.0)
    kept = {row.id: nearness.extract_compared_text(row) for row in train if row.id not in found}
    held = {row.id: nearness.extract_compared_text(row) for row in frozen}
    for name, twin, alike in find_nearest_frozen(kept, held, nearness.near_threshold):
        same = normalise(kept[name]) == normalise(held[twin])
        found[name] = Leak(name, twin, EXACT if same else NEAR, alike)
    if nearness.semantic_threshold and nearness.embed:
        left = {name: text for name, text in kept.items() if name not in found and text.strip()}
        for name, twin, alike in _find_semantic_matches(left, held, nearness.semantic_threshold, nearness.embed):
            found[name] = Leak(name, twin, SEMANTIC, alike)
    return [found[row.id] for row in train if row.id in found]


def _find_semantic_matches(
    texts: Mapping[str, str], frozen: Mapping[str, str], threshold: float, embed: EmbedFunction
) -> Iterator[tuple[str, str, float]]:
    """Yield (name, frozen name, cosine) for each text as near as `threshold` in meaning to a frozen one, its nearest.

    No pair is missed: all are compared, a block at a time.
    """
    names, held = list(texts), [name for name, text in frozen.items() if text.strip()]
    if not names or not held:
        return
    others = embed([frozen[name] for name in held])
    for start in range(0, len(names), COSINE_BLOCK_ROWS):
        some = names[start : start + COSINE_BLOCK_ROWS]
        cosines = embed([texts[name] for name in some]) @ others.T
        best = cosines.argmax(axis=1)
        for place, name in enumerate(some):
            alike = float(cosines[place, best[place]])
            if alike >= threshold:
                yield name, held[best[place]], min(alike, 1.0)


def build_leakage_proof(
    train: Sequence[Row], frozen: Sequence[Row], nearness: LeakageCriteria, dropped: Iterable[Leak] = ()
) -> dict[str, Any]:
    """The counts that a bundle carries: what still leaks (zeros, or the build is wrong), and what was dropped.

    Computed anew from the rows, not from what was dropped; `compared` is the number of pairs of rows.
    """
    strict = replace(nearness, semantic_threshold=nearness.semantic_threshold and nearness.semantic_threshold + COSINE_TOLERANCE)
    left = Counter(leak.match_type for leak in find_leaks(train, frozen, strict))
    gone = Counter(leak.match_type for leak in dropped)
    hows = (GROUP, EXACT, NEAR, *((SEMANTIC,) if nearness.semantic_threshold else ()))
    semantic = {"semantic": left[SEMANTIC], "semantic_threshold": nearness.semantic_threshold} if nearness.semantic_threshold else {}
    return {
        "test_groups_in_training": left[GROUP],
        "exact": left[EXACT],
        "near": left[NEAR],
        **semantic,
        "dropped": {how: gone[how] for how in hows},
        "compared": len(train) * len(frozen),
        "threshold": nearness.near_threshold,
    }


def count_remaining_leaks(evidence: Mapping[str, Any]) -> int:
    """How many training rows still leak, by a `proof`."""
    named = ("test_groups_in_training", "exact", "near", "semantic")
    return sum(int(evidence.get(name, 0)) for name in named)


@dataclass(frozen=True, slots=True)
class RepeatedText:
    """One text that stands on both sides of a split, and the ids of the rows that have it."""

    text: str
    train: tuple[str, ...]
    test: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        return {"text": self.text, "train": list(self.train), "test": list(self.test)}


def find_repeated_texts(train: Iterable[Row], frozen: Iterable[Row], on: Sequence[str]) -> list[RepeatedText]:
    """The different texts that test rows share with training rows word for word, letter case aside: what upstream left.

    Stricter than what `leaks` calls the same text, and counted by text: a text in ten rows is one repeat.
    """
    nearness = LeakageCriteria(tuple(on), 1.0)
    sides: list[defaultdict[str, list[Row]]] = [defaultdict(list), defaultdict(list)]
    for side, rows in zip(sides, (train, (row for row in frozen if row.split == TEST)), strict=True):
        for row in rows:
            side[nearness.extract_compared_text(row).lower()].append(row)
    ours, theirs = sides
    return [
        RepeatedText(nearness.extract_compared_text(rows[0]), tuple(r.id for r in ours[text]), tuple(r.id for r in rows))
        for text, rows in theirs.items() if text.strip() and text in ours
    ]
