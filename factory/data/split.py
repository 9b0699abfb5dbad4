"""The split: whole groups to validation and test, the same ones on any machine and for any order of the rows."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from factory import identity
from factory.api.made import group_of
from factory.api.rows import TEST, TRAIN, VALIDATION, Row
from factory.data.rows import place
from factory.errors import InputError

if TYPE_CHECKING:
    from factory.spec import Split

PARTS = (TRAIN, VALIDATION, TEST)
ALIASES = {
    "train": TRAIN, "training": TRAIN,
    "validation": VALIDATION, "valid": VALIDATION, "val": VALIDATION, "dev": VALIDATION,
    "test": TEST, "testing": TEST,
}


@dataclass(frozen=True, slots=True)
class _Group:
    """Rows that stay together, with what the draw needs to know of them."""

    name: str
    rows: tuple[Row, ...]
    stratum: str


def split(rows: Iterable[Row], settings: Split, text: str = "") -> dict[str, list[Row]]:
    """Every row in one of `train`, `validation`, `test`, in the order of ids; `row.split` names its part.

    A row that carries its own split keeps it. A part that no row claims is drawn, whole groups at a time, from the
    rows of training or of none. A row without a group is grouped by its normalised `text` column, so that copies
    never straddle. Raises InputError for an unknown split, and for a source too small for what is asked.
    """
    ordered = sorted(rows, key=lambda row: row.id)
    own = {row.id: part_of(row) for row in ordered if row.split}
    claimed = set(own.values())
    parts: dict[str, list[Row]] = {part: [row for row in ordered if own.get(row.id) == part] for part in PARTS}
    free = [row for row in ordered if own.get(row.id, TRAIN) == TRAIN]
    wanted = {TEST: settings.test, VALIDATION: settings.validation}
    missing = {part: count for part, count in wanted.items() if part not in claimed and count}
    parts.update(_drawn(free, missing, settings, text))
    return {part: [replace(row, split=part) for row in parts[part]] for part in PARTS}


def part_of(row: Row) -> str:
    """The part that a row's own split means. Raises InputError, with the row and its source, for an unknown one."""
    part = ALIASES.get(row.split.strip().lower())
    if part is None:
        raise InputError(
            f"{place(row)}: row {row.id!r} has the split {row.split!r}; known are {', '.join(sorted(ALIASES))}"
        )
    return part


def groups(rows: Iterable[Row], text: str = "") -> dict[str, list[Row]]:
    """Group → its rows."""
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[group_of(row, text)].append(row)
    return dict(found)


def _drawn(free: Sequence[Row], wanted: Mapping[str, int], settings: Split, text: str) -> dict[str, list[Row]]:
    """The free rows over training and the wanted parts. Test draws first, so that validation can not move it."""
    pool = [_group(name, members, settings.stratify) for name, members in groups(free, text).items()]
    pool.sort(key=lambda group: (identity.key(["split", settings.seed, group.name]), group.name))
    parts: dict[str, list[Row]] = {}
    left = pool
    for part, count in wanted.items():
        taken = _take(left, count)
        if sum(len(group.rows) for group in taken) < count or len(taken) == len(left):
            raise _too_small(pool, wanted)
        names = {group.name for group in taken}
        parts[part] = [row for group in taken for row in group.rows]
        left = [group for group in left if group.name not in names]
    parts[TRAIN] = [row for group in left for row in group.rows]
    return {part: sorted(members, key=lambda row: row.id) for part, members in parts.items()}


def _group(name: str, rows: Sequence[Row], stratify: str) -> _Group:
    values = Counter(_stratum(row, stratify) for row in rows) if stratify else Counter({"": 1})
    return _Group(name, tuple(rows), min(values, key=lambda value: (-values[value], value)))


def _stratum(row: Row, column: str) -> str:
    if column not in row.columns:
        raise InputError(f"{place(row)}: row {row.id!r} has no column {column!r} to stratify by")
    return str(row.columns[column])


def _take(pool: Sequence[_Group], count: int) -> list[_Group]:
    """Groups in drawn order until each stratum has its share of `count`; one larger than a share only at need."""
    shares = _shares(pool, count)
    got: Counter[str] = Counter()
    taken: dict[str, _Group] = {}
    for any_size in (False, True):
        for group in pool:
            want = shares[group.stratum]
            if got[group.stratum] < want and group.name not in taken and (any_size or len(group.rows) <= want):
                taken[group.name] = group
                got[group.stratum] += len(group.rows)
    return list(taken.values())


def _shares(pool: Sequence[_Group], count: int) -> dict[str, int]:
    """How many rows each stratum gives, by largest remainder; they sum to `count`."""
    sizes: Counter[str] = Counter()
    for group in pool:
        sizes[group.stratum] += len(group.rows)
    total = sum(sizes.values())
    exact = {stratum: count * size / total for stratum, size in sizes.items()}
    shares = {stratum: int(value) for stratum, value in exact.items()}
    by_remainder = sorted(exact, key=lambda stratum: (shares[stratum] - exact[stratum], stratum))
    for stratum in by_remainder[: count - sum(shares.values())]:
        shares[stratum] += 1
    return shares


def _too_small(pool: Sequence[_Group], wanted: Mapping[str, int]) -> InputError:
    rows = sum(len(group.rows) for group in pool)
    asked = " and ".join(f"{count} {part} rows" for part, count in wanted.items())
    lower = " and ".join(f"data.split.{part}" for part in wanted)
    return InputError(
        f"the sources give {rows} rows in {len(pool)} groups: {asked} can not be drawn, whole groups at a time, "
        f"with any left to train on; lower {lower}, or add rows"
    )
