"""Training rows against frozen rows: who shares a group or repeats a text, and the proof that none is left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from factory.api.made import group_of
from factory.api.rows import Row
from factory.api.texts import near_any, normalise

GROUP, EXACT, NEAR = "group", "exact", "near"


@dataclass(frozen=True, slots=True)
class Leak:
    """A training row too close to a frozen one, its `twin`. `similarity` is of their texts; 0 for a shared group."""

    row: str
    twin: str
    how: str
    similarity: float

    @property
    def why(self) -> str:
        """In words, for the list of dropped rows."""
        if self.how == GROUP:
            return "of the same group as a frozen row"
        same = "the same text as a frozen row"
        return same if self.how == EXACT else f"{self.similarity:.2f} similar to a frozen row"


def leaks(train: Sequence[Row], frozen: Sequence[Row], text: str, threshold: float) -> list[Leak]:
    """Every training row that must go, in their order: by group first, then by equal text, then by near text.

    `text` is the column that is compared; `threshold` a Jaccard similarity of character 5-grams. A row made from
    others (its parents) goes when one of those is frozen, as if it were of its group.
    """
    by_group = {group_of(row, text): row.id for row in reversed(frozen)}
    frozen_ids = {row.id for row in frozen}
    found: dict[str, Leak] = {}
    for row in train:
        parents = [parent for parent in row.provenance.parents if parent in frozen_ids]
        twin = by_group.get(row.group) if row.group else None
        if twin or parents:
            found[row.id] = Leak(row.id, twin or parents[0], GROUP, 0.0)
    kept = {row.id: _text(row, text) for row in train if row.id not in found}
    held = {row.id: _text(row, text) for row in frozen}
    for name, twin, alike in near_any(kept, held, threshold):
        same = normalise(kept[name]) == normalise(held[twin])
        found[name] = Leak(name, twin, EXACT if same else NEAR, alike)
    return [found[row.id] for row in train if row.id in found]


def proof(
    train: Sequence[Row], frozen: Sequence[Row], text: str, threshold: float, dropped: Iterable[Leak] = ()
) -> dict[str, Any]:
    """The counts that a bundle carries: what still leaks (zeros, or the build is wrong), and what was dropped.

    Computed anew from the rows, not from what was dropped; `compared` is the number of pairs of rows.
    """
    left = Counter(leak.how for leak in leaks(train, frozen, text, threshold))
    gone = Counter(leak.how for leak in dropped)
    return {
        "test_groups_in_training": left[GROUP],
        "exact": left[EXACT],
        "near": left[NEAR],
        "dropped": {how: gone[how] for how in (GROUP, EXACT, NEAR)},
        "compared": len(train) * len(frozen),
        "threshold": threshold,
    }


def leaked(evidence: dict[str, Any]) -> int:
    """How many training rows still leak, by a `proof`."""
    return int(evidence["test_groups_in_training"] + evidence["exact"] + evidence["near"])


def _text(row: Row, column: str) -> str:
    value = row.columns.get(column)
    return value if isinstance(value, str) else ""
