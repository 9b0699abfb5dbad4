"""Compare: two to six sets of answers, metric by metric, field by field, row by row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.binding import BindingType
from textual.markup import escape
from textual.widget import Widget

from factory.errors import FactoryError
from factory.evaluation.compare import LOST, TIED, WON, ContenderComparison
from factory.tui.comparison import LETTERS, Comparison, load_comparison
from factory.tui.keys import Key, make_bindings
from factory.tui.read_errors import READ_ERRORS, describe_read_error
from factory.tui.rich_text import Line, make_line, wrap_text
from factory.tui.screens.base import Page
from factory.tui.table import Table
from factory.tui.views import compare_view as view
from factory.tui.widgets.listing import Listing
from factory.tui.widgets.pages import Pages
from factory.tui.widgets.panel import ACTIVE, LARGE, MEDIUM, SMALL, Block, Slot

KEYS = (
    Key("n", "regression(1)", "the next row where A got worse", "next worse row"),
    Key("p,N", "regression(-1)", "the previous row where A got worse", "previous"),
    Key("b", "opponent", "compare A with the next contender, row by row", "other side"),
    Key("r", "only", "show lost, won, tied or all rows", "lost/won/tied"),
    Key("x", "swap", "make the other side A", "swap"),
)
ABOUT = (
    "Two to six contenders on the same test rows. A winner is named only where its lead over every "
    "other is outside the noise. Rows that A lost come first; `n` jumps from one to the next. Mark runs on Runs (1) "
    "with "
    "space to compare them."
)
KINDS = ("", LOST, WON, TIED)


class ComparePage(Page):
    """Sets of answers beside each other."""

    KEYS = KEYS
    ABOUT = ABOUT
    BINDINGS: ClassVar[list[BindingType]] = make_bindings(KEYS)
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
        self.other = 1
        self.kind = ""
        self.failed = ""

    def panels(self) -> Sequence[Widget]:
        """In the order of Tab."""
        return (
            Listing("rows", "Rows"),
            Pages("outputs", "Answers"),
            Listing("metrics", "Metrics"),
            Listing("spec", "Spec"),
        )

    def arrive(self) -> None:
        """Other sides, maybe."""
        wanted = self.state.list_compared()
        worst, self.state.worst_first = self.state.worst_first, False
        if worst:
            self.kind = LOST
        if wanted == self.requested and self.comparison is not None:
            self.fill()
        elif wanted != [""]:
            self.requested, self.comparison, self.failed, self.other = wanted, None, "", 1
            self.show_head(lambda room: [make_line(("comparing …", "run"))])
            self.run_worker(lambda: self._load(wanted), thread=True, group="compare", exclusive=True)
        else:
            self._show_error("no runs yet: start one with `factory build SPEC`")
        if worst:
            self.deck.turn("rows")

    def _load(self, wanted: list[str]) -> None:
        """In a thread: pair the rows, then metric after metric."""
        tell = self.app.call_from_thread
        try:
            made = load_comparison(self.state.home, wanted)
            _ = made.row_viewer.rows, made.row_viewer.task, made.row_viewer.tables, made.spec_differences
            if wanted == self.requested:
                tell(self._show_comparison, made)
            for _ in made.score_metrics():
                if wanted != self.requested:
                    return
                tell(self._show_metrics)
        except READ_ERRORS as error:
            tell(self._show_error, describe_read_error(error))

    def _show_comparison(self, made: Comparison) -> None:
        self.comparison = made
        self.fill()

    def _show_error(self, text: str) -> None:
        self.comparison, self.failed = None, text
        self.fill()

    def get_pair(self) -> ContenderComparison | None:
        """The two whose rows are shown; None when they have none in common."""
        try:
            return self.comparison.compare_pair(0, self.other) if self.comparison else None
        except FactoryError as error:
            self.failed = str(error)
            return None

    def fill(self) -> None:
        """All panels."""
        found, pair = self.comparison, self.get_pair()
        if found is None:
            self.show_head(lambda room: wrap_text(self.failed or "comparing …", room, "warn" if self.failed else "run"))
            for name in ("rows", "metrics", "spec"):
                self.listing(name).set_content(Table((), (), "nothing to compare" if self.failed else "comparing …"))
            return
        self.show_head(lambda room: self._render_head(found, pair, room))
        title = f"{self.kind or 'all'} rows: A against {LETTERS[self.other]}, {found.metric}"
        self.listing("rows").border_title = escape(title[0].upper() + title[1:])
        self.listing("rows").set_content(view.build_rows_table(found, pair, self.kind))
        self.listing("spec").set_content(view.build_spec_table(found))
        self._show_metrics()
        self._show_answers()

    def _render_head(self, found: Comparison, pair: ContenderComparison | None, room: int) -> list[Line]:
        said = [view.render_counts(pair)] if pair is not None else wrap_text(self.failed, room, "warn", "! ")
        return [*view.render_legend(found, self.other, room)[:5], *said]

    def _show_metrics(self) -> None:
        if self.comparison is not None:
            self.listing("metrics").set_content(view.build_metrics_table(self.comparison, self.comparison.scores))

    @on(Listing.Moved, "#rows")
    def _show_answers(self) -> None:
        found, current, other = self.comparison, self.listing("rows").current, self.other
        if found is None or current is None:
            self.pages("outputs").set_content(lambda room: [make_line(("no row is selected", "dim"))])
            return
        self.pages("outputs").set_content(lambda room: view.render_answers(found, current.key, other, room))
        self.pages("outputs").scroll_to(y=0, animate=False)

    @on(Listing.Chosen, "#rows")
    def _handle_row_chosen(self) -> None:
        self.deck.turn("outputs")

    def action_regression(self, by: int) -> None:
        """The next row that A lost, around the end."""
        rows = self.listing("rows")
        lost = [i for i, r in enumerate(rows.grid.rows) if r.values[0] == LOST]
        if not lost:
            self.notify("A lost none of the rows shown")
            return
        later = [i for i in lost if i > rows.cursor] if by > 0 else [i for i in lost if i < rows.cursor]
        rows.go((later or lost)[0 if by > 0 else -1])

    def action_opponent(self) -> None:
        """The next of the others."""
        if self.comparison is not None:
            self.other = self.other % (len(self.comparison.sides) - 1) + 1
            self.fill()

    def action_only(self) -> None:
        """Rows of another result."""
        self.kind = KINDS[(KINDS.index(self.kind) + 1) % len(KINDS)]
        self.fill()

    def action_swap(self) -> None:
        """The other in the place of A."""
        if self.comparison is not None:
            labels = [side.label for side in self.comparison.sides]
            labels.insert(0, labels.pop(self.other))
            self.state.compared = labels
            self.arrive()
