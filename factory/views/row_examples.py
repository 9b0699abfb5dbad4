"""Row by row: tuned against the deciding baseline on slices of the test rows, and its largest wins and losses."""

from __future__ import annotations

from dataclasses import dataclass

from factory.evaluation.compare import LOST, WON, FrozenRowViewer
from factory.evaluation.comparison import load_deciding_comparison, load_slices
from factory.runs.run_outputs import RunOutputs
from factory.views.compare import RowView, build_row_view, describe_counts
from factory.views.elements import Table, extract_plain_text
from factory.views.verdict import VerdictView
from factory.views.verdict_tables import build_slices_table

MAX_EXAMPLE_ROWS = 6
"""Maximum number of rows shown per result (won, lost)."""


@dataclass(frozen=True, slots=True)
class RowExamplesView:
    """Tuned against the deciding baseline by row; `slices` has no rows where they can not be computed."""

    summary: str
    slices: Table
    examples: dict[str, list[RowView]]
    """Title → rows."""


def build_row_examples_view(page: VerdictView, outputs: RunOutputs) -> RowExamplesView | None:
    """Compare tuned with the deciding baseline; None without one, or without its answers."""
    pair = load_deciding_comparison(outputs)
    if pair is None:
        return None
    viewer, sides = FrozenRowViewer(outputs), (pair.a, pair.b)
    examples = {
        title: [
            build_row_view(viewer, row.id, sides, pair.metric)
            for row in pair.select_strongest(result, MAX_EXAMPLE_ROWS)
        ]
        for title, result in (("Largest wins", WON), ("Largest losses", LOST))
    }
    summary = extract_plain_text(describe_counts(pair, f"Tuned against {page.baseline}"))
    slices = build_slices_table(load_slices(pair), page.confidence, page.tuned, page.baseline)
    return RowExamplesView(summary, slices, examples)
