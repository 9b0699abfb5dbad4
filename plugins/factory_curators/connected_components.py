"""Connected components of similar rows, and which row of each to keep."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Literal

from factory.api import Decision, Row

Prefer = Literal["first", "longest", "best"]
PREFER_DESCRIPTION = "duplicate to keep: the first, the longest, or the best by the score of its generator or judge"


def find_components(size: int, pairs: Iterable[tuple[int, int]]) -> list[list[int]]:
    """Return the connected components of two or more places (union-find), each in order."""
    parent = list(range(size))
    for one, other in pairs:
        merge_components(parent, one, other)
    components: defaultdict[int, list[int]] = defaultdict(list)
    for place in range(size):
        components[find_root(parent, place)].append(place)
    return [members for members in components.values() if len(members) > 1]


def find_root(parent: list[int], place: int) -> int:
    """Return the smallest place of a component; halves the path to it."""
    while parent[place] != place:
        parent[place] = parent[parent[place]]
        place = parent[place]
    return place


def merge_components(parent: list[int], one: int, other: int) -> None:
    """Join two components."""
    one, other = find_root(parent, one), find_root(parent, other)
    if one != other:
        parent[max(one, other)] = min(one, other)


def decide_duplicates(
    rows: Sequence[Row], groups: Iterable[Sequence[int]], prefer: Prefer, transitive: bool, threshold: float,
    similarity: Callable[[int, int], float],
) -> Iterator[Decision]:
    """Yield a decision for each row: of a group, the preferred row stays.

    Without `transitive`, rows that are not similar to a kept one stay too. `similarity` takes two places.
    """
    dropped: dict[int, Decision] = {}
    for group in groups:
        for place, twin, value in _find_repeated_rows(
            sorted(group, key=build_preference_key(rows, prefer)), transitive, threshold, similarity
        ):
            dropped[place] = Decision(rows[place].id, False, _describe_similarity(value, threshold), rows[twin].id)
    for place, row in enumerate(rows):
        yield dropped.get(place) or Decision(row.id, True)


def build_preference_key(rows: Sequence[Row], prefer: Prefer) -> Callable[[int], tuple[float, int]]:
    """Return a sort key that puts the row to keep first; of equals, the first row.

    `best` reads `score` of the provenance, which generators and judges set; rows without one come last.
    """
    if prefer == "longest":
        return lambda place: (-float(sum(len(v) for v in rows[place].columns.values() if isinstance(v, str))), place)
    if prefer == "best":
        return lambda place: (-_read_quality_score(rows[place]), place)
    return lambda place: (0.0, place)


def _read_quality_score(row: Row) -> float:
    score = row.provenance.detail.get("score")
    return float(score) if isinstance(score, int | float) else float("-inf")


def _find_repeated_rows(
    group: Sequence[int], transitive: bool, threshold: float, similarity: Callable[[int, int], float]
) -> Iterator[tuple[int, int, float]]:
    """Yield (place, most similar kept place, similarity) of the rows to drop; the first of the group is kept."""
    kept = [group[0]]
    for place in group[1:]:
        # Negated places: of equally similar rows, max takes the first.
        value, twin = max((similarity(place, other), -other) for other in kept)
        if value >= threshold or transitive:
            yield place, -twin, value
        else:
            kept.append(place)


def _describe_similarity(value: float, threshold: float) -> str:
    return f"similarity {value:.2f}" if value >= threshold else f"similarity {value:.2f}, connected through other rows"
