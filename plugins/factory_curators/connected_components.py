"""Connected components of similar rows, and which row of each to keep."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Literal

from factory.api import Decision, Row

Prefer = Literal["first", "longest", "best"]
PREFER_DESCRIPTION = "duplicate to keep: the first, the longest, or the best by the score of its generator or judge"


def find_components(size: int, pairs: Iterable[tuple[int, int]]) -> list[list[int]]:
    """Return the connected components of two or more of the indices below `size` (union-find), each in order."""
    parent = list(range(size))
    for first, second in pairs:
        merge_components(parent, first, second)
    components: defaultdict[int, list[int]] = defaultdict(list)
    for index in range(size):
        components[find_root(parent, index)].append(index)
    return [members for members in components.values() if len(members) > 1]


def find_root(parent: list[int], index: int) -> int:
    """Return the smallest index of a component; halves the path to it."""
    while parent[index] != index:
        parent[index] = parent[parent[index]]
        index = parent[index]
    return index


def merge_components(parent: list[int], first: int, second: int) -> None:
    """Join two components."""
    first, second = find_root(parent, first), find_root(parent, second)
    if first != second:
        parent[max(first, second)] = min(first, second)


def decide_duplicates(
    rows: Sequence[Row], groups: Iterable[Sequence[int]], prefer: Prefer, transitive: bool, threshold: float,
    similarity: Callable[[int, int], float],
) -> Iterator[Decision]:
    """Yield a decision for each row: of a group, the preferred row stays.

    Without `transitive`, rows that are not similar to a kept one stay too. `similarity` takes the indices of two rows.
    """
    dropped: dict[int, Decision] = {}
    for group in groups:
        ordered = sorted(group, key=build_preference_key(rows, prefer))
        for index, twin, value in _find_repeated_rows(ordered, transitive, threshold, similarity):
            why = f"similarity {value:.2f}" + ("" if value >= threshold else ", connected through other rows")
            dropped[index] = Decision(rows[index].id, False, why, rows[twin].id)
    for index, row in enumerate(rows):
        yield dropped.get(index) or Decision(row.id, True)


def build_preference_key(rows: Sequence[Row], prefer: Prefer) -> Callable[[int], tuple[float, int]]:
    """Return a sort key that puts the row to keep first; of equals, the first row.

    `best` reads `score` of the provenance, which generators and judges set; rows without one come last.
    """
    def compute_rank(index: int) -> tuple[float, int]:
        if prefer == "longest":
            return -sum(len(value) for value in rows[index].columns.values() if isinstance(value, str)), index
        score = rows[index].provenance.detail.get("score") if prefer == "best" else 0
        return -score if isinstance(score, int | float) else math.inf, index

    return compute_rank


def _find_repeated_rows(
    group: Sequence[int], transitive: bool, threshold: float, similarity: Callable[[int, int], float]
) -> Iterator[tuple[int, int, float]]:
    """Yield (row, most similar kept row, similarity) of the rows to drop; the first of the group is kept."""
    unique = [group[0]]
    for index in group[1:]:
        # Negated indices: of equally similar rows, max takes the first.
        value, twin = max((similarity(index, other), -other) for other in unique)
        if value >= threshold or transitive:
            yield index, -twin, value
        else:
            unique.append(index)
