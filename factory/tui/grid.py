"""A table as data: columns that know what may go when room is short, records with what they sort by."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from factory.tui.lines import Line, fit, line, plain, width, wrapped

GAP, TINY = 2, 4
"""Blanks between two columns, and cells that even the least of them has."""
SAMPLE = 120
"""Records whose cells are measured, evenly over all; more would hardly change a width, and cost a keystroke."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column: `rank` 0 always stays, higher ranks go first; it has at most `most` cells, and `least` if it can."""

    name: str
    right: bool = False
    rank: int = 0
    most: int = 40
    least: int = 6


Cell = Line | str


@dataclass
class Record:
    """One row: its key, the bare values that it sorts by and that are exported, and its cells, made when seen."""

    key: str
    values: tuple[Any, ...]
    make: Callable[[], Sequence[Cell]]

    @cached_property
    def cells(self) -> tuple[Line, ...]:
        """What stands in each column."""
        return tuple(line(cell) if isinstance(cell, str) else cell for cell in self.make())

    @cached_property
    def text(self) -> str:
        """All that is to be read in it, in small letters: what a filter looks at."""
        return " ".join(str(value) for value in self.values if value is not None).lower()


@dataclass(frozen=True, slots=True)
class Grid:
    """A table, and what to say when it is empty."""

    columns: tuple[Column, ...]
    records: tuple[Record, ...] = ()
    empty: str = "nothing here"

    def filtered(self, text: str) -> Grid:
        """Those records that hold every word."""
        words = text.lower().split()
        if not words:
            return self
        kept = tuple(r for r in self.records if all(word in r.text for word in words))
        return replace(self, records=kept, empty=f"nothing matches {text!r}")

    def ordered(self, column: int, down: bool) -> Grid:
        """By one column; what has no value comes last."""
        there = [r for r in self.records if r.values[column] not in (None, "")]
        gone = [r for r in self.records if r.values[column] in (None, "")]
        there.sort(key=lambda r: _comparable(r.values[column]), reverse=down)
        return replace(self, records=(*there, *gone))

    def csv(self) -> str:
        """All records with the bare values."""
        out = io.StringIO()
        writer = csv.writer(out)
        writer.writerow([column.name or "mark" for column in self.columns])
        writer.writerows([["" if value is None else value for value in r.values] for r in self.records])
        return out.getvalue()

    def json(self) -> list[dict[str, Any]]:
        """All records as objects."""
        names = [column.name for column in self.columns]
        return [dict(zip(names, r.values, strict=True)) for r in self.records]


def _comparable(value: Any) -> tuple[int, Any]:
    return (0, value) if isinstance(value, int | float) else (1, str(value).lower())


def record(key: str, *cells: Cell, values: Sequence[Any] = ()) -> Record:
    """A record whose cells are made already; without `values`, their texts."""
    texts = tuple(values) or tuple(cell if isinstance(cell, str) else plain(cell) for cell in cells)
    return Record(key, texts, lambda: cells)


@dataclass(frozen=True, slots=True)
class Layout:
    """Which columns are shown, and how wide each is."""

    places: tuple[tuple[int, int], ...] = ()

    @property
    def width(self) -> int:
        """Cells of a whole row."""
        return sum(wide for _, wide in self.places) + GAP * max(0, len(self.places) - 1)


def layout(grid: Grid, room: int) -> Layout:
    """The columns that fit: first the cells are cut, then columns of the highest rank go."""
    sample = grid.records[:: max(1, len(grid.records) // SAMPLE)]
    wanted = [_wanted(sample, place, column) for place, column in enumerate(grid.columns)]
    shown = [place for place, column in enumerate(grid.columns) if wanted[place] or column.rank == 0]
    while True:
        least = sum(min(wanted[p], grid.columns[p].least) for p in shown) + GAP * max(0, len(shown) - 1)
        worst = max((grid.columns[p].rank for p in shown), default=0)
        if least <= room or worst == 0:
            break
        shown.remove(next(p for p in reversed(shown) if grid.columns[p].rank == worst))
    return Layout(_squeezed(grid, shown, wanted, room))


def _wanted(sample: Sequence[Record], place: int, column: Column) -> int:
    """Cells that a column would take; 0 when all its cells are empty."""
    cells = max((width(r.cells[place]) for r in sample), default=0)
    if cells == 0 and sample and column.rank:
        return 0
    return min(column.most, max(cells, width(line(column.name)) + 2 * bool(column.name)))


def _squeezed(grid: Grid, shown: list[int], wanted: list[int], room: int) -> tuple[tuple[int, int], ...]:
    """Widths that fit: the widest gives first."""
    wide = {place: wanted[place] for place in shown}
    over = sum(wide.values()) + GAP * max(0, len(shown) - 1) - room
    while over > 0:
        loose = [p for p in shown if wide[p] > min(grid.columns[p].least, wanted[p])] or [
            p for p in shown if wide[p] > TINY
        ]
        if not loose:
            break
        widest = max(loose, key=lambda p: wide[p])
        wide[widest] -= 1
        over -= 1
    return tuple((place, wide[place]) for place in shown)


def head(grid: Grid, how: Layout, by: int = -1, down: bool = False) -> Line:
    """The line of column names, with an arrow at the one it is sorted by."""
    spans: list[tuple[str, str]] = []
    for number, (place, wide) in enumerate(how.places):
        column = grid.columns[place]
        arrow = ("▾" if down else "▴") if place == by else ""
        name = f"{arrow}{column.name}" if column.right else f"{column.name}{arrow}"
        spans += [(" " * GAP, "")] if number else []
        spans += [(text, "head") for text, _ in fit(line(name), wide, column.right)]
    return line(*spans)


def body(grid: Grid, how: Layout, one: Record) -> Line:
    """The line of one record."""
    spans: list[tuple[str, str]] = []
    for number, (place, wide) in enumerate(how.places):
        spans += [(" " * GAP, "")] if number else []
        spans += fit(one.cells[place], wide, grid.columns[place].right)
    return line(*spans)


def drawn(grid: Grid, room: int, most: int = 0, note: Callable[[int], str] = "and {} more".format) -> list[Line]:
    """The whole table as lines, or its first `most` records and how many more there are."""
    if not grid.records:
        return wrapped(grid.empty, room, "dim")
    how = layout(grid, room)
    shown = grid.records[:most] if most else grid.records
    more = len(grid.records) - len(shown)
    tail = [line((note(more), "dim"))] if more else []
    return [head(grid, how), *(body(grid, how, one) for one in shown), *tail]


def hit(how: Layout, x: int) -> int:
    """The column at a cell, -1 for none."""
    start = 0
    for place, wide in how.places:
        if start <= x < start + wide + GAP:
            return place
        start += wide + GAP
    return -1
