"""Which documents are compared: random cycles, so that every document is judged equally often and all are connected."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

PlacePair = tuple[int, int]


def draw_cycles(items: Sequence[int], count: int, draw: np.random.Generator, known: Iterable[PlacePair] = ()) -> list[PlacePair]:
    """The edges of `count` random cycles through all items, each in a random direction.

    Every item is in two edges a cycle, and one cycle alone connects all. A pair that an earlier cycle or `known` has
    is drawn again a few times before it is taken twice: a new pair tells more than a repeated one.
    """
    if len(items) < 2:
        return []
    found: list[PlacePair] = []
    seen = {frozenset(pair) for pair in known}
    for _ in range(count):
        tries = [_draw_cycle(items, draw) for _ in range(4)]
        best = min(tries, key=lambda edges: sum(frozenset(edge) in seen for edge in edges))
        seen.update(map(frozenset, best))
        found += [(a, b) if draw.random() < 0.5 else (b, a) for a, b in best]
    return found


def _draw_cycle(items: Sequence[int], draw: np.random.Generator) -> list[PlacePair]:
    order = [int(items[place]) for place in draw.permutation(len(items))]
    edges = list(zip(order, [*order[1:], order[0]], strict=True))
    return edges if len(order) > 2 else edges[:1]


def find_connected_items(size: int, pairs: Iterable[PlacePair]) -> list[list[int]]:
    """The connected parts of the graph over items 0 to size − 1, the largest first, of equals the first."""
    parent = list(range(size))

    def root(item: int) -> int:
        while parent[item] != item:
            parent[item] = parent[parent[item]]
            item = parent[item]
        return item

    for a, b in pairs:
        parent[root(a)] = root(b)
    parts: dict[int, list[int]] = {}
    for item in range(size):
        parts.setdefault(root(item), []).append(item)
    return sorted(parts.values(), key=lambda part: (-len(part), part[0]))
