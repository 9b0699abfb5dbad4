"""The split: whole groups to validation and test, the same ones on any machine and for any order of the rows."""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from factory import identity
from factory.api.rows import TEST, TRAIN, VALIDATION, Row
from factory.api.synthetic_rows import get_row_group
from factory.data.rows import format_row_origin
from factory.errors import InputError

if TYPE_CHECKING:
    from factory.spec.fields import Split

SPLIT_PARTS = (TRAIN, VALIDATION, TEST)
SPLIT_ALIASES = {
    "train": TRAIN, "training": TRAIN,
    "validation": VALIDATION, "valid": VALIDATION, "val": VALIDATION, "dev": VALIDATION,
    "test": TEST, "testing": TEST,
}


@dataclass(frozen=True, slots=True)
class _SplitGroup:
    """Rows that stay together, by their places, with what the draw needs to know of them."""

    key: str
    places: Sequence[int]
    stratum: str


@dataclass(slots=True)
class _SplitIndex:
    """All that a split has to know of rows, so that none is held: ids, and of those that may be drawn the groups."""

    ids: list[str] = field(default_factory=list)
    parts: dict[str, list[int]] = field(default_factory=lambda: {part: [] for part in SPLIT_PARTS})
    groups: defaultdict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    strata: dict[int, str] = field(default_factory=dict)

    def add(self, row: Row, settings: Split, text: str) -> None:
        place = len(self.ids)
        self.ids.append(row.id)
        part = resolve_split_part(row) if row.split else ""
        if part:
            self.parts[part].append(place)
        if part in ("", TRAIN):
            self.groups[identity.compute_key(["split", settings.seed, get_row_group(row, text)])].append(place)
            if settings.stratify:
                self.strata[place] = sys.intern(_read_stratum(row, settings.stratify))

    def build_split_group(self, key: str) -> _SplitGroup:
        """A group with the stratum of most of its rows, the first by name of equals."""
        places = self.groups[key]
        values = Counter(self.strata[place] for place in places) if self.strata else {"": 1}
        return _SplitGroup(key, places, min(values, key=lambda value: (-values[value], value)))


def split_rows(rows: Iterable[Row], settings: Split, text: str = "") -> dict[str, list[int]]:
    """The places of every row in one of `train`, `validation`, `test`, in the order of their ids. Walks the rows once.

    A row that carries its own split keeps it. A part that no row claims is drawn, whole groups at a time, from the
    rows of training or of none. A row without a group is grouped by its normalised `text` column, so that copies
    never straddle. Raises InputError for an unknown split, and for a source too small for what is asked.
    """
    told = _SplitIndex()
    for row in rows:
        told.add(row, settings, text)
    wanted = {TEST: settings.test, VALIDATION: settings.validation}
    missing = {part: count for part, count in wanted.items() if count and not told.parts[part]}
    parts = {**told.parts, **_draw_parts([told.build_split_group(key) for key in sorted(told.groups)], missing)}
    return {part: sorted(parts[part], key=told.ids.__getitem__) for part in SPLIT_PARTS}


def resolve_split_part(row: Row) -> str:
    """The part that a row's own split means. Raises InputError, with the row and its source, for an unknown one."""
    part = SPLIT_ALIASES.get(row.split.strip().lower())
    if part is None:
        raise InputError(
            f"{format_row_origin(row)}: row {row.id!r} has the split {row.split!r}; known are {', '.join(sorted(SPLIT_ALIASES))}"
        )
    return part


def _draw_parts(pool: Sequence[_SplitGroup], wanted: Mapping[str, int]) -> dict[str, list[int]]:
    """The free rows over training and the wanted parts. Test draws first, so that validation can not move it."""
    parts: dict[str, list[int]] = {}
    left = pool
    for part, count in wanted.items():
        taken = _take_groups(left, count)
        if sum(len(group.places) for group in taken) < count or len(taken) == len(left):
            raise _build_too_small_error(pool, wanted)
        keys = {group.key for group in taken}
        parts[part] = [place for group in taken for place in group.places]
        left = [group for group in left if group.key not in keys]
    parts[TRAIN] = [place for group in left for place in group.places]
    return parts


def _read_stratum(row: Row, column: str) -> str:
    if column not in row.columns:
        raise InputError(f"{format_row_origin(row)}: row {row.id!r} has no column {column!r} to stratify by")
    return str(row.columns[column])


def _take_groups(pool: Sequence[_SplitGroup], count: int) -> list[_SplitGroup]:
    """Groups in drawn order until each stratum has its share of `count`; one larger than a share only at need."""
    shares = _allot_stratum_shares(pool, count)
    got: Counter[str] = Counter()
    taken: dict[str, _SplitGroup] = {}
    for any_size in (False, True):
        for group in pool:
            want = shares[group.stratum]
            if got[group.stratum] < want and group.key not in taken and (any_size or len(group.places) <= want):
                taken[group.key] = group
                got[group.stratum] += len(group.places)
    return list(taken.values())


def _allot_stratum_shares(pool: Sequence[_SplitGroup], count: int) -> dict[str, int]:
    """How many rows each stratum gives, by largest remainder; they sum to `count`."""
    sizes: Counter[str] = Counter()
    for group in pool:
        sizes[group.stratum] += len(group.places)
    total = sum(sizes.values())
    exact = {stratum: count * size / total for stratum, size in sizes.items()}
    shares = {stratum: int(value) for stratum, value in exact.items()}
    by_remainder = sorted(exact, key=lambda stratum: (shares[stratum] - exact[stratum], stratum))
    for stratum in by_remainder[: count - sum(shares.values())]:
        shares[stratum] += 1
    return shares


def _build_too_small_error(pool: Sequence[_SplitGroup], wanted: Mapping[str, int]) -> InputError:
    rows = sum(len(group.places) for group in pool)
    asked = " and ".join(f"{count} {part} rows" for part, count in wanted.items())
    lower = " and ".join(f"data.split.{part}" for part in wanted)
    return InputError(
        f"the sources give {rows} rows in {len(pool)} groups: {asked} can not be drawn, whole groups at a time, "
        f"with any left to train on; lower {lower}, or add rows"
    )
