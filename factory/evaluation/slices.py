"""Where two sets of answers differ: the parts of the test set, each with its paired interval, Holm over all of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from factory.errors import FactoryError
from factory.evaluation.compare import RESAMPLES, SEED, ContenderComparison, FrozenRowViewer, RowResult

MIN_SLICE_ROWS = 10
"""A slice of fewer rows says nothing."""


@dataclass(frozen=True, slots=True)
class Slice:
    """One value of one slice: the means of both sides on its rows, A − B with its interval, and p by Holm's method."""

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


def compare_slices(found: ContenderComparison, shelf: FrozenRowViewer) -> list[Slice]:
    """Every slice of the task that has rows enough, in the task's order, the largest value first."""
    from factory.evaluation import statistics

    made = [
        _compare_slice(name, value, rows, found.confidence)
        for name, values in _group_rows_by_slice(found, shelf).items()
        for value, rows in sorted(values.items(), key=lambda each: (-len(each[1]), each[0]))
        if len(rows) >= MIN_SLICE_ROWS and len({row.group or row.id for row in rows}) > 1
    ]
    adjusted = statistics.adjust_p_values([each.p for each in made])
    return [replace(each, p=p) for each, p in zip(made, adjusted, strict=True)]


def _group_rows_by_slice(found: ContenderComparison, shelf: FrozenRowViewer) -> dict[str, dict[str, list[RowResult]]]:
    """Slice → value → rows; nothing when the task is not installed."""
    parts: dict[str, dict[str, list[RowResult]]] = defaultdict(lambda: defaultdict(list))
    if shelf.task is None:
        return {}
    for result in found.rows:
        row = shelf.rows.get(result.id)
        try:
            mine = shelf.task.get_row_slices(row) if row else {}
        except Exception as error:  # a stranger's code, asked for something to show
            raise FactoryError(f"task {shelf.task.kind!r}: slices of row {result.id!r}: {error}") from error
        for name, value in mine.items():
            parts[name][str(value)].append(result)
    return parts


def _compare_slice(name: str, value: str, rows: Sequence[RowResult], confidence: float) -> Slice:
    from factory.evaluation import statistics

    data = statistics.group_by_cluster([row.difference for row in rows], [row.group or row.id for row in rows])
    (means,) = statistics.bootstrap_means([data], RESAMPLES, SEED)
    drawn = statistics.estimate_mean(data, means, confidence).interval
    a, b = (round(sum(getattr(row, side) for row in rows) / len(rows), statistics.DIGITS) for side in ("a", "b"))
    won, lost = (sum(row.result == result for row in rows) for result in ("won", "lost"))
    return Slice(
        name, value, len(rows), a, b, drawn.mean, drawn.low, drawn.high, statistics.compute_p_value(data, means), won,
        lost
    )
