"""The Compare screen: two to six contenders by metric, by spec value and by row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.markup import escape
from textual.widget import Widget

from factory.errors import READ_ERRORS, FactoryError
from factory.evaluation.compare import LOST, TIED, WON, ContenderComparison
from factory.evaluation.comparison import Comparison, load_comparison
from factory.tui.keys import Key
from factory.tui.rich_text import Line, describe_read_error, wrap_text
from factory.tui.screens.base import NO_RUNS, Page
from factory.tui.table import render_cell
from factory.tui.views.compare_view import render_answers, render_legend
from factory.tui.widgets.listing import Listing
from factory.tui.widgets.pages import Pages
from factory.tui.widgets.panel import ACTIVE, LARGE, MEDIUM, SMALL, Block, Slot
from factory.views.compare import LETTERS, build_metrics_table, build_rows_table, build_spec_table, describe_counts
from factory.views.elements import Table

RESULT_FILTERS = ("", LOST, WON, TIED)
"""Results whose rows can be shown alone; "" shows all rows."""


class ComparePage(Page):
    """Two to six contenders side by side."""

    KEYS = (
        Key("n", "regression(1)", "go to the next row where A got worse", "next worse row"),
        Key("p,N", "regression(-1)", "go to the previous row where A got worse", "previous"),
        Key("b", "next_opponent", "compare the rows of A with those of the next contender", "other side"),
        Key("r", "next_result", "show lost, won, tied or all rows", "lost/won/tied"),
        Key("x", "swap", "swap A and the contender that its rows are compared with", "swap"),
    )
    ABOUT = (
        "Two to six contenders on the same test rows. A winner is named only where its lead over every other one is "
        "statistically significant. Rows that A lost come first; `n` jumps from one to the next. To compare runs, mark "
        "them on Runs (1) with space."
    )
    ARRANGEMENTS: ClassVar = {
        SMALL: (Block((Slot(ACTIVE),)),),
        MEDIUM: (Block((Slot("rows", 0.8), Slot(ACTIVE, 1.0))),),
        LARGE: (
            Block((Slot("metrics", 0.7), Slot("rows", 1.6), Slot("spec", 0.6)), 1.0),
            Block((Slot("outputs", 1.0),), 1.0),
        ),
    }

    def __init__(self) -> None:
        super().__init__()
        self.comparison: Comparison | None = None
        self.requested: list[str] = []
        """The names that are compared, or being loaded."""
        self.other = 1
        """Index of the side whose rows are compared with those of A."""
        self.result_filter = ""
        self.error_message = ""

    def compose_panels(self) -> Sequence[Widget]:
        return (
            Listing("rows", "Rows"), Pages("outputs", "Answers"), Listing("metrics", "Metrics"),
            Listing("spec", "Spec"),
        )

    def arrive(self) -> None:
        """Load the comparison that is asked for, unless it is shown already."""
        names = self.state.list_compared()
        worst_first, self.state.worst_first = self.state.worst_first, False
        if worst_first:
            self.result_filter = LOST
        if names == [""]:
            self._show_comparison(None, NO_RUNS)
        elif names == self.requested and self.comparison is not None:
            self.fill()
        else:
            self.requested, self.comparison, self.error_message, self.other = names, None, "", 1
            self.show_message("comparing …", "run")
            self.run_worker(lambda: self._load_comparison(names), thread=True, group="compare", exclusive=True)
        if worst_first:
            self.deck.turn("rows")

    def _load_comparison(self, names: list[str]) -> None:
        """In a thread, pair the rows, then compare metric by metric."""
        call = self.app.call_from_thread
        try:
            comparison = load_comparison(self.state.home, names)
            viewer = comparison.row_viewer
            # Cached properties: read here, so that drawing does not wait for the disk.
            _ = viewer.rows, viewer.task, viewer.tables, comparison.spec_differences
            if names == self.requested:
                call(self._show_comparison, comparison)
            for _ in comparison.score_metrics():
                if names != self.requested:
                    return
                call(self._show_metrics)
        except READ_ERRORS as error:
            call(self._show_comparison, None, describe_read_error(error))

    def _show_comparison(self, comparison: Comparison | None, error: str = "") -> None:
        self.comparison, self.error_message = comparison, error
        self.fill()

    def fill(self) -> None:
        comparison = self.comparison
        if comparison is None:
            self.show_message(self.error_message or "comparing …", "warn" if self.error_message else "run")
            for name in ("rows", "metrics", "spec"):
                text = "nothing to compare" if self.error_message else "comparing …"
                self.listing(name).set_content(Table((), (), text))
            return
        pair: ContenderComparison | None = None
        try:
            pair = comparison.compare_pair(0, self.other)
        except FactoryError as error:
            self.error_message = str(error)
        self.show_head(lambda width: self._render_head(comparison, pair, width))
        title = f"{self.result_filter or 'all'} rows: A against {LETTERS[self.other]}, {comparison.metric}"
        self.listing("rows").border_title = escape(title[0].upper() + title[1:])
        self.listing("rows").set_content(build_rows_table(comparison, pair, self.result_filter))
        self.listing("spec").set_content(build_spec_table(comparison))
        self._show_metrics()
        self._show_answers()

    def _render_head(self, comparison: Comparison, pair: ContenderComparison | None, width: int) -> list[Line]:
        legend = render_legend(comparison, self.other, width)[:5]
        if pair is None:
            return [*legend, *wrap_text(self.error_message, width, "warn", "! ")]
        return [*legend, render_cell(describe_counts(pair, f"A against {LETTERS[self.other]}"))]

    def _show_metrics(self) -> None:
        if self.comparison is not None:
            self.listing("metrics").set_content(build_metrics_table(self.comparison, self.comparison.scores))

    @on(Listing.Moved, "#rows")
    def _show_answers(self) -> None:
        comparison, row, other = self.comparison, self.listing("rows").current, self.other
        if comparison is None or row is None:
            self.pages("outputs").set_content(lambda width: wrap_text("no row is selected", width, "dim"))
            return
        self.pages("outputs").set_content(lambda width: render_answers(comparison, row.key, other, width))
        self.pages("outputs").scroll_to(y=0, animate=False)

    @on(Listing.Chosen, "#rows")
    def _handle_row_chosen(self) -> None:
        self.deck.turn("outputs")

    def action_regression(self, by: int) -> None:
        """Go to the next or the previous row that A lost, around the end."""
        rows = self.listing("rows")
        lost = [index for index, row in enumerate(rows.table.rows) if row.values[0] == LOST]
        if not lost:
            self.notify("A lost none of these rows")
            return
        ahead = [index for index in lost if (index - rows.cursor) * by > 0]
        rows.move_to((ahead or lost)[0 if by > 0 else -1])

    def action_next_opponent(self) -> None:
        if self.comparison is not None:
            self.other = self.other % (len(self.comparison.sides) - 1) + 1
            self.fill()

    def action_next_result(self) -> None:
        index = RESULT_FILTERS.index(self.result_filter) + 1
        self.result_filter = RESULT_FILTERS[index % len(RESULT_FILTERS)]
        self.fill()

    def action_swap(self) -> None:
        """Make the other side A."""
        if self.comparison is not None:
            labels = [side.label for side in self.comparison.sides]
            labels.insert(0, labels.pop(self.other))
            self.state.compared = labels
            self.arrive()
