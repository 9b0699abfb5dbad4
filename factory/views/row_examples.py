"""Row by row: tuned against the deciding baseline on slices of the test rows, and its largest wins and losses."""

from __future__ import annotations

from dataclasses import dataclass

from factory.errors import FactoryError
from factory.evaluation import compare
from factory.evaluation.slices import compare_slices
from factory.runs.run_outputs import RunOutputs
from factory.views.elements import Table
from factory.views.formatting import format_count, format_number
from factory.views.verdict import VerdictView
from factory.views.verdict_tables import build_slices_table

MAX_EXAMPLE_ROWS = 6
"""Maximum number of rows shown per result (won, lost)."""


@dataclass(frozen=True, slots=True)
class RowExample:
    """A test row: what both texts begin with, and the rest of each side under its heading."""

    id: str
    group: str
    shared: str
    sides: tuple[tuple[str, str], ...]
    """(contender with its score, rest of the text) of tuned and the baseline."""


@dataclass(frozen=True, slots=True)
class RowExamplesView:
    """Tuned against the deciding baseline by row; `slices` is None where they can not be computed."""

    summary: str
    slices: Table | None
    examples: dict[str, list[RowExample]]
    """Title → rows."""


def build_row_examples_view(page: VerdictView, outputs: RunOutputs) -> RowExamplesView | None:
    """Compare tuned with the deciding baseline; None without one, or without its answers."""
    if not page.baseline:
        return None
    tuned, baseline = (compare.ContenderResults(outputs, name) for name in (page.tuned, page.baseline))
    try:
        comparison = compare.compare_contenders(tuned, baseline)
    except (FactoryError, LookupError):
        return None
    viewer = compare.FrozenRowViewer(outputs)
    counts = ", ".join(f"{r} {comparison.count_rows(r)}" for r in (compare.WON, compare.LOST, compare.TIED))
    summary = f"Tuned against {page.baseline} on {format_count(len(comparison.rows), 'row')}: {counts}."
    examples = {
        title: [_show_row(row, comparison, viewer) for row in comparison.select_strongest(result, MAX_EXAMPLE_ROWS)]
        for title, result in (("Largest wins", compare.WON), ("Largest losses", compare.LOST))
    }
    return RowExamplesView(summary, _build_slices(page, comparison, viewer), examples)


def _build_slices(
    page: VerdictView, comparison: compare.ContenderComparison, viewer: compare.FrozenRowViewer
) -> Table | None:
    try:
        slices = compare_slices(comparison, viewer)
    except (FactoryError, LookupError):  # the task of another version
        return None
    return build_slices_table(slices, page.confidence, page.tuned, page.baseline)


def _show_row(
    row: compare.RowResult, comparison: compare.ContenderComparison, viewer: compare.FrozenRowViewer
) -> RowExample:
    shared, left, right = viewer.show_side_by_side(row.id, comparison.a, comparison.b)
    sides = ((comparison.a, row.a, left), (comparison.b, row.b, right))
    texts = ((f"{side.contender} {format_number(value)}", text or "(identical)") for side, value, text in sides)
    return RowExample(row.id, row.group, shared, tuple(texts))
