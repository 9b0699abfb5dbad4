"""Iterative stratification of rows that have sets of labels (Sechidis, Tsoumakas and Vlahavas 2011, algorithm 1).

Whole sets are mostly too rare to stratify by. Instead labels are dealt out one by one, the rarest first: each of its
groups goes to the part that lacks the label most.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class LabelledGroup:
    """Rows that stay together: how many, and how many of them have each label."""

    rows: int
    labels: Mapping[str, int]


@dataclass(slots=True)
class _Demand:
    """How many rows, and how many of each label, a part still lacks; below 0 it has too many."""

    rows: float
    labels: dict[str, float] = field(default_factory=dict)

    def subtract(self, group: LabelledGroup, times: int = 1) -> None:
        self.rows -= times * group.rows
        for label, count in group.labels.items():
            self.labels[label] -= times * count

    def score(self, group: LabelledGroup) -> float:
        """Return how much a part lacks the labels of a group: their mean demand, or that of rows if it has none."""
        demands = [self.labels[label] for label in group.labels]
        return sum(demands) / len(demands) if demands else self.rows


def draw_by_labels(pool: Sequence[LabelledGroup], count: int) -> list[int]:
    """Return the positions of groups with at least `count` rows, in which each label has its share.

    Groups are taken in their order where nothing else tells them apart. Returns all groups if they have fewer rows.
    """
    totals = Counter[str]()
    for group in pool:
        totals.update(group.labels)
    rows = sum(group.rows for group in pool)
    share = min(1.0, count / rows) if rows else 0.0
    drawn = _Demand(count, {label: share * total for label, total in totals.items()})
    left = _Demand(rows - count, {label: (1 - share) * total for label, total in totals.items()})
    taken = _deal_groups(pool, drawn, left)
    return _adjust_size(pool, taken, drawn)


def _deal_groups(pool: Sequence[LabelledGroup], drawn: _Demand, left: _Demand) -> set[int]:
    """Deal all groups out between two parts, the rarest label first; return those of the first part."""
    owners: dict[str, set[int]] = {label: set() for label in drawn.labels}
    for number, group in enumerate(pool):
        for label in group.labels:
            owners[label].add(number)
    taken, bare = set[int](), [number for number, group in enumerate(pool) if not group.labels]
    while owners:
        rarest = min(owners, key=lambda label: (len(owners[label]), label))
        for number in sorted(owners.pop(rarest)):
            group = pool[number]
            wins = (drawn.labels[rarest], drawn.rows) > (left.labels[rarest], left.rows)
            (drawn if wins else left).subtract(group)
            if wins:
                taken.add(number)
            for label in group.labels.keys() & owners.keys():
                owners[label].discard(number)
    for number in bare:
        wins = drawn.rows > left.rows
        (drawn if wins else left).subtract(pool[number])
        if wins:
            taken.add(number)
    return taken


def _adjust_size(pool: Sequence[LabelledGroup], taken: set[int], drawn: _Demand) -> list[int]:
    """Give back groups of which there are too many, then take those that are lacked most, until the size is reached."""
    while surplus := [number for number in sorted(taken) if pool[number].rows <= -drawn.rows]:
        worst = min(surplus, key=lambda number: (drawn.score(pool[number]), number))
        drawn.subtract(pool[worst], -1)
        taken.remove(worst)
    while drawn.rows > 0 and len(taken) < len(pool):
        free = [number for number in range(len(pool)) if number not in taken]
        best = max(free, key=lambda number: (drawn.score(pool[number]), -number))
        drawn.subtract(pool[best])
        taken.add(best)
    return sorted(taken)
