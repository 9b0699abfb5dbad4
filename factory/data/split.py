"""The split into train, validation and test by whole groups, independent of the machine and the order of rows."""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from factory import identity
from factory.api.rows import TEST, TRAIN, VALIDATION, Row
from factory.api.synthetic_rows import get_row_group
from factory.data.rows import format_row_origin
from factory.data.set_stratification import LabelledGroup, draw_by_labels
from factory.errors import InputError
from factory.text.labels import normalise_label

if TYPE_CHECKING:
    from factory.spec.fields import Split

SPLIT_PARTS = (TRAIN, VALIDATION, TEST)
SPLIT_ALIASES = {
    "train": TRAIN, "training": TRAIN,
    "validation": VALIDATION, "valid": VALIDATION, "val": VALIDATION, "dev": VALIDATION,
    "test": TEST, "testing": TEST,
}
AUTO = "auto"
AUTO_SIZES = {TEST: (30, 300), VALIDATION: (15, 100)}
"""Part → its size where a spec says `auto`: percent of the rows that it is drawn from, and the most rows."""
LARGE_PART_FACTOR = 2
"""A drawn part of more than so many times the rows that were asked for is reported."""
PART_USES = {TEST: "to test on", VALIDATION: "for validation"}


@dataclass(frozen=True, slots=True)
class _SplitGroup:
    """Rows that stay together, by position, with their random sort key and stratum, or how many have each label."""

    key: str
    positions: Sequence[int]
    stratum: str
    labels: Mapping[str, int]


@dataclass(slots=True)
class _SplitIndex:
    """What the split needs to know of rows, so that no row stays in memory: ids, groups and strata by position."""

    ids: list[str] = field(default_factory=list)
    parts: dict[str, list[int]] = field(default_factory=lambda: {part: [] for part in SPLIT_PARTS})
    groups: defaultdict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    strata: dict[int, str] = field(default_factory=dict)
    label_sets: dict[int, tuple[str, ...]] = field(default_factory=dict)
    """The strata of rows whose column is a list: iterative stratification is by each of its labels."""

    def add(self, row: Row, settings: Split, text: str) -> None:
        position = len(self.ids)
        self.ids.append(row.id)
        part = resolve_split_part(row) if row.split else ""
        if part:
            self.parts[part].append(position)
        if part in ("", TRAIN):
            # Sorting groups by a seeded hash is a shuffle that depends on neither row order nor other groups.
            self.groups[identity.compute_key(["split", settings.seed, get_row_group(row, text)])].append(position)
            if settings.stratify:
                if settings.stratify not in row.columns:
                    raise InputError(
                        f"{format_row_origin(row)}: row {row.id!r} has no column {settings.stratify!r} to stratify by"
                    )
                value = row.columns[settings.stratify]
                if isinstance(value, list | tuple):
                    self.label_sets[position] = tuple(sys.intern(normalise_label(label)) for label in value)
                else:
                    self.strata[position] = sys.intern(normalise_label(value))

    def build_split_group(self, key: str) -> _SplitGroup:
        """Return a group with the most frequent stratum of its rows, the first by name on a tie."""
        positions = self.groups[key]
        values = Counter(self.strata.get(position, "") for position in positions)
        labels = Counter(label for position in positions for label in self.label_sets.get(position, ()))
        return _SplitGroup(key, positions, min(values, key=lambda value: (-values[value], value)), labels)


def split_rows(rows: Iterable[Row], settings: Split, text: str = "") -> dict[str, list[int]]:
    """Return the positions of the rows of `train`, `validation` and `test`, ordered by id. Iterates over rows once.

    A row keeps its own split. A part without such rows is drawn by whole groups from the rows of train or of no split.
    A row without a group is grouped by its normalised `text` column, so that copies stay in one part. With `renew`, the
    test rows are those of a later draw, which shares no row with the earlier ones. Raises InputError for an unknown
    split, or if the sources are too small.
    """
    index = _SplitIndex()
    for row in rows:
        index.add(row, settings, text)
    rows_at_hand = sum(map(len, index.groups.values()))
    sizes = {part: _resolve_part_size(part, size, rows_at_hand) for part, size in _list_part_sizes(settings)}
    missing = {part: count for part, count in sizes.items() if count and not index.parts[part]}
    if settings.renew and TEST not in missing:
        raise InputError("data.split.renew draws other test rows, but the sources bring test rows of their own")
    pool = [index.build_split_group(key) for key in sorted(index.groups)]
    parts = {**index.parts, **_draw_parts(pool, missing, settings.renew)}
    return {part: sorted(parts[part], key=index.ids.__getitem__) for part in SPLIT_PARTS}


def describe_small_split(counts: Mapping[str, int], drawn: Collection[str], settings: Split) -> tuple[str, bool]:
    """Return what went where, or "" if rows are many; and whether less than half of the rows are left to train on.

    `counts` are the rows by part, `drawn` the parts that were drawn from the others. Rows are few if a part of
    automatic size is below its limit.
    """
    sizes = {part: size for part, size in _list_part_sizes(settings) if part in drawn and counts[part]}
    left, fields = counts[TRAIN], " and ".join(f"data.split.{part}" for part in sizes)
    pool = left + sum(counts[part] for part in sizes)
    automatic = {part: AUTO_SIZES[part] for part, size in sizes.items() if size == AUTO}
    taken = " and ".join(
        f"{counts[part]} {PART_USES[part]}" + (f" (auto: {automatic[part][0]} %)" if part in automatic else "")
        for part in sizes
    )
    if 2 * left < pool:
        return f"only {left} of {pool} rows are left to train on, after {taken}; lower {fields}, or add rows", True
    if any(pool * percent < limit * 100 for percent, limit in automatic.values()):
        return f"{pool} rows are few: {left} to train on, {taken}; {fields} may set other counts", False
    return "", False


def describe_large_parts(
    counts: Mapping[str, int], largest: Mapping[str, int], drawn: Collection[str], settings: Split
) -> list[str]:
    """Return a line for each drawn part of more than twice the rows that were asked for. `largest` is the number of
    rows of its largest group."""
    rows = counts[TRAIN] + sum(counts[part] for part in drawn)
    sizes = {part: _resolve_part_size(part, size, rows) for part, size in _list_part_sizes(settings) if part in drawn}
    return [
        f"{counts[part]} rows {PART_USES[part]}, {counts[part] / size:.1f} times the {size} of data.split.{part}: "
        f"groups stay whole, and the largest of them has {largest[part]} rows; split up large groups, or add small ones"
        for part, size in sizes.items() if size and counts[part] > LARGE_PART_FACTOR * size
    ]


def _list_part_sizes(settings: Split) -> list[tuple[str, int | str]]:
    """Return the size of each drawn part as a spec states it. Test comes first: another size of validation then does
    not change the test rows."""
    return [(TEST, settings.test), (VALIDATION, settings.validation)]


def _resolve_part_size(part: str, size: int | str, rows: int) -> int:
    """Return the least number of rows of a part that is drawn from so many rows."""
    if isinstance(size, int):
        return size
    percent, limit = AUTO_SIZES[part]
    return min(limit, max(rows * percent // 100, int(part == TEST)))


def list_row_groups(rows: Iterable[Row], text: str = "") -> list[str]:
    """Return the group of each row by which `split_rows` keeps rows together; empty if it shares it with no other row.

    Rows without a group of their own that share a text are named by the id of the first of them.
    """
    named = [(row.group, get_row_group(row, text), row.id) for row in rows]
    first: dict[str, str] = {}
    for own, group, name in named:
        if not own:
            first.setdefault(group, name)
    counts = Counter(group for own, group, _ in named if not own)
    return [own or (first[group] if counts[group] > 1 else "") for own, group, _ in named]


def resolve_split_part(row: Row) -> str:
    """Return the part for a row's own split. Raises InputError, with the row and its source, for an unknown one."""
    part = SPLIT_ALIASES.get(row.split.strip().lower())
    if part is None:
        known = ", ".join(sorted(SPLIT_ALIASES))
        raise InputError(f"{format_row_origin(row)}: row {row.id!r} has an unknown split {row.split!r}; known: {known}")
    return part


def _draw_parts(pool: Sequence[_SplitGroup], sizes: Mapping[str, int], renew: int) -> dict[str, list[int]]:
    """Draw the missing parts from the groups and leave the others to train, former test rows among them."""
    drawn: dict[str, Sequence[_SplitGroup]] = {}
    left, former = pool, list[_SplitGroup]()
    # Test comes first in `sizes`: changing the size of validation does not change the test rows. Fresh test rows come
    # last, so that validation stays as it was, and no row that chose a model decides about one.
    for part in (*sizes, *([TEST] * renew)):
        former += drawn.get(part, ())
        taken = _take_groups(left, sizes[part])
        if sum(len(group.positions) for group in taken) < sizes[part] or len(taken) == len(left):
            raise _build_too_small_error(pool, sizes, renew)
        keys = {group.key for group in taken}
        drawn[part] = taken
        left = [group for group in left if group.key not in keys]
    return {
        part: [position for group in groups for position in group.positions]
        for part, groups in {**drawn, TRAIN: [*left, *former]}.items()
    }


def _take_groups(pool: Sequence[_SplitGroup], count: int) -> list[_SplitGroup]:
    """Take groups in shuffled order until each stratum, or label, has its share of `count` rows.

    A group of more rows than that is taken only if the smaller ones have too few, and the last group of a stratum only
    if no other is left: training would lose the stratum.
    """
    fitting = _select_fitting_groups(pool, count)
    if any(group.labels for group in pool):
        labelled = [LabelledGroup(len(group.positions), group.labels) for group in fitting]
        return [fitting[number] for number in draw_by_labels(labelled, count)]
    shares, groups_left = _allot_stratum_shares(fitting, count), Counter(group.stratum for group in pool)
    row_counts: Counter[str] = Counter()
    taken: dict[str, _SplitGroup] = {}

    def take(group: _SplitGroup) -> None:
        taken[group.key] = group
        row_counts[group.stratum] += len(group.positions)
        groups_left[group.stratum] -= 1

    # Groups larger than the whole share of their stratum are a last resort, for the second pass.
    for any_size in (False, True):
        for group in fitting:
            share, is_spare = shares[group.stratum], groups_left[group.stratum] > 1
            is_open = row_counts[group.stratum] < share and group.key not in taken
            if is_open and is_spare and (any_size or len(group.positions) <= share):
                take(group)
    for keeps_strata in (True, False):  # what a stratum could not give comes from others
        for group in fitting:
            is_wanted = row_counts.total() < count and group.key not in taken
            if is_wanted and (groups_left[group.stratum] > 1 or not keeps_strata):
                take(group)
    return list(taken.values())


def _select_fitting_groups(pool: Sequence[_SplitGroup], count: int) -> list[_SplitGroup]:
    """Leave out groups of more than `count` rows, or as many of them as the rest needs to have `count` rows."""
    limit = rows = 0
    for size in sorted(len(group.positions) for group in pool):
        if size > count and rows >= count:
            break
        limit, rows = size, rows + size
    return [group for group in pool if len(group.positions) <= limit]


def _allot_stratum_shares(pool: Sequence[_SplitGroup], count: int) -> dict[str, int]:
    """Return how many of `count` rows each stratum gives, by the largest remainder method."""
    sizes: Counter[str] = Counter()
    for group in pool:
        sizes[group.stratum] += len(group.positions)
    total = sum(sizes.values())
    exact = {stratum: count * size / total for stratum, size in sizes.items()}
    shares = {stratum: int(value) for stratum, value in exact.items()}
    by_remainder = sorted(exact, key=lambda stratum: (shares[stratum] - exact[stratum], stratum))
    for stratum in by_remainder[: count - sum(shares.values())]:
        shares[stratum] += 1
    return shares


def _build_too_small_error(pool: Sequence[_SplitGroup], sizes: Mapping[str, int], renew: int) -> InputError:
    rows = sum(len(group.positions) for group in pool)
    requested = " and ".join(f"{count} {part} rows" for part, count in sizes.items())
    renewed = f", and {sizes[TEST]} for each renewal," if renew else ""
    fields = " and ".join(f"data.split.{part}" for part in (*sizes, *(["renew"] if renew else [])))
    return InputError(
        f"the sources have {rows} rows in {len(pool)} groups, too few for {requested}{renewed} in whole groups "
        f"with training rows left; lower {fields}, or add rows"
    )
