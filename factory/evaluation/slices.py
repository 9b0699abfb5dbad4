"""Compare two contenders on slices of the test set: paired intervals, and p values adjusted for all slices (Holm)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from factory.errors import FactoryError
from factory.evaluation import statistics
from factory.evaluation.compare import LOST, WON, ContenderComparison, FrozenRowViewer, RowResult, compare_rows
from factory.evaluation.paired_tests import TestedDifference

MIN_SLICE_ROWS = 10
"""Smaller slices are left out: they have too few rows for an interval."""


@dataclass(frozen=True, slots=True)
class Slice:
    """One value of a slice: the means of both sides on its rows, A − B with its interval, and p adjusted by Holm.

    p is 1 where the rows are of fewer than five groups of equal size.
    """

    slice: str
    value: str
    n: int
    mean_a: float
    mean_b: float
    difference: float
    low: float
    high: float
    p: float
    won: int
    lost: int


def compare_slices(comparison: ContenderComparison, viewer: FrozenRowViewer) -> list[Slice]:
    """Return every sufficiently large slice, in the task's order, the largest value first."""
    results = [
        (name, value, rows, compare_rows(rows, comparison.confidence, comparison.binary))
        for name, values in _group_rows_by_slice(comparison, viewer).items()
        for value, rows in sorted(values.items(), key=lambda item: (-len(item[1]), item[0]))
        if len(rows) >= MIN_SLICE_ROWS and len({row.group or row.id for row in rows}) > 1
    ]
    # Slices of too few groups prove nothing, and are no reason to adjust the others.
    tested = [i for i, (*_, result) in enumerate(results) if result.has_enough_groups]
    adjusted = dict(zip(tested, statistics.adjust_p_values([results[i][-1].p for i in tested]), strict=True))
    return [_make_slice(*result, adjusted.get(i, 1.0)) for i, result in enumerate(results)]


def _group_rows_by_slice(
    comparison: ContenderComparison, viewer: FrozenRowViewer
) -> dict[str, dict[str, list[RowResult]]]:
    """Return slice → value → rows; empty if the task is not installed."""
    rows: dict[str, dict[str, list[RowResult]]] = defaultdict(lambda: defaultdict(list))
    if viewer.task is None:
        return {}
    for result in comparison.rows:
        row = viewer.rows.get(result.id)
        try:
            slices = viewer.task.get_row_slices(row) if row else {}
        except Exception as error:  # plugin code
            raise FactoryError(f"task {viewer.task.kind!r}: slices of row {result.id!r}: {error}") from error
        for name, value in slices.items():
            rows[name][str(value)].append(result)
    return rows


def _make_slice(name: str, value: str, rows: Sequence[RowResult], result: TestedDifference, p: float) -> Slice:
    interval = result.interval
    a, b = (statistics.round_number(sum(getattr(row, side) for row in rows) / len(rows)) for side in ("a", "b"))
    won, lost = (sum(row.result == side for row in rows) for side in (WON, LOST))
    return Slice(name, value, len(rows), a, b, interval.mean, interval.low, interval.high, p, won, lost)
