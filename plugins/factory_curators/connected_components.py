"""Rows that are alike, as connected components: of each, one stays."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Literal

from factory.api import Decision, Row

Prefer = Literal["first", "longest", "best"]
PREFER_DESCRIPTION = (
    "which row of those alike stays: the first, the longest, or the best by the score of its "
    "generator or judge"
)


def find_components(size: int, pairs: Iterable[tuple[int, int]]) -> list[list[int]]:
    """The places that pairs connect, directly or by way of others: two or more each, in order."""
    parent = list(range(size))
    for one, other in pairs:
        merge_components(parent, one, other)
    found: defaultdict[int, list[int]] = defaultdict(list)
    for place in range(size):
        found[find_root(parent, place)].append(place)
    return [members for members in found.values() if len(members) > 1]


def find_root(parent: list[int], place: int) -> int:
    """The smallest place of a component, the way to it made short."""
    while parent[place] != place:
        parent[place] = parent[parent[place]]
        place = parent[place]
    return place


def merge_components(parent: list[int], one: int, other: int) -> None:
    """Make two components one."""
    one, other = find_root(parent, one), find_root(parent, other)
    if one != other:
        parent[max(one, other)] = min(one, other)


def decide_duplicates(
    rows: Sequence[Row], groups: Iterable[Sequence[int]], prefer: Prefer, chains: bool, threshold: float,
    alike: Callable[[int, int], float],
) -> Iterator[Decision]:
    """A decision for each row: of a group the preferred one stays and, without `chains`, what is not near to one kept.

    `alike` is the similarity of two rows by their places.
    """
    gone: dict[int, Decision] = {}
    for group in groups:
        for place, twin, value in _find_repeated_rows(
            sorted(group, key=build_preference_key(rows, prefer)), chains, threshold, alike
        ):
            gone[place] = Decision(rows[place].id, False, _describe_similarity(value, threshold), rows[twin].id)
    for place, row in enumerate(rows):
        yield gone.get(place) or Decision(row.id, True)


def build_preference_key(rows: Sequence[Row], prefer: Prefer) -> Callable[[int], tuple[float, int]]:
    """A key that puts the row that is to stay first; of equals the first given. `best` reads `score` of provenance,
    which generators and judges set; a row without one is the least.
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
    group: Sequence[int], chains: bool, threshold: float, alike: Callable[[int, int], float]
) -> Iterator[tuple[int, int, float]]:
    """Place, the kept place that it is held to repeat, and their similarity."""
    kept = [group[0]]
    for place in group[1:]:
        value, twin = max((alike(place, other), -other) for other in kept)
        if value >= threshold or chains:
            yield place, -twin, value
        else:
            kept.append(place)


def _describe_similarity(value: float, threshold: float) -> str:
    return f"{value:.2f} similar" if value >= threshold else f"{value:.2f} similar, and nearer by way of rows between"
