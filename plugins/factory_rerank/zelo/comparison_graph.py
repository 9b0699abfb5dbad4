"""Comparison graphs: random cycles, which judge every document equally often and connect all of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

IndexPair = tuple[int, int]
"""Indices of two items; a judgement is the share of the first one."""


def draw_cycles(
    items: Sequence[int], count: int, draw: np.random.Generator, known: Iterable[IndexPair] = ()
) -> list[IndexPair]:
    """Draw the edges of `count` random cycles through all items, each edge in a random direction.

    Each cycle gives every item two edges and connects all items. Cycles that repeat known pairs are drawn again a few
    times, since a new pair is more informative than a repeated one.
    """
    if len(items) < 2:
        return []
    directed: list[IndexPair] = []
    seen = {frozenset(pair) for pair in known}
    for _ in range(count):
        tries = [_draw_cycle(items, draw) for _ in range(4)]
        best = min(tries, key=lambda edges: sum(frozenset(edge) in seen for edge in edges))
        seen.update(map(frozenset, best))
        directed += [(a, b) if draw.random() < 0.5 else (b, a) for a, b in best]
    return directed


def _draw_cycle(items: Sequence[int], draw: np.random.Generator) -> list[IndexPair]:
    order = [int(items[index]) for index in draw.permutation(len(items))]
    edges = list(zip(order, [*order[1:], order[0]], strict=True))
    return edges if len(order) > 2 else edges[:1]  # a cycle through two items would have the same edge twice


def find_connected_items(size: int, pairs: Iterable[IndexPair]) -> list[list[int]]:
    """Find the connected components of the graph over items 0 to size − 1, largest first."""
    parent = list(range(size))

    def find_root(item: int) -> int:
        while parent[item] != item:
            parent[item] = parent[parent[item]]  # path halving keeps the trees flat
            item = parent[item]
        return item

    for a, b in pairs:
        parent[find_root(a)] = find_root(b)
    components: dict[int, list[int]] = {}
    for item in range(size):
        components.setdefault(find_root(item), []).append(item)
    return sorted(components.values(), key=lambda items: (-len(items), items[0]))
