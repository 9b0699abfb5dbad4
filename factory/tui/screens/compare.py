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
from factory.tui.beside import LETTERS, Beside, beside
from factory.tui.broken import BROKEN, unreadable
from factory.tui.grid import Grid
from factory.tui.keys import Key, bindings
from factory.tui.lines import Line, line, wrapped
from factory.tui.screens.base import Page
from factory.tui.views import compare as view
from factory.tui.widgets.listing import Listing
from factory.tui.widgets.pages import Pages
from factory.tui.widgets.panel import ACTIVE, LARGE, MEDIUM, SMALL, Block, Slot

KEYS = (
    Key("n", "regression(1)", "the next row where A got worse", "next worse row"),
    Key("p,N", "regression(-1)", "the row before where A got worse", "previous"),
    Key("b", "opponent", "hold A against another one, row by row", "other side"),
    Key("r", "only", "show lost, won, tied or all rows", "lost/won/tied"),
    Key("x", "swap", "put the other side in the place of A", "swap"),
)
ABOUT = (
    "Two to six sets of answers to the same rows. A winner is named only where its lead over every other is "
    "outside the noise. Rows that A lost come first; `n` jumps from one to the next. Mark runs on Runs (1) with "
    "space to compare them."
)
KINDS = ("", LOST, WON, TIED)


class ComparePage(Page):
    """Sets of answers beside each other."""

    KEYS = KEYS
    ABOUT = ABOUT
    BINDINGS: ClassVar[list[BindingType]] = bindings(KEYS)
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
        self.found: Beside | None = None
        self.asked: list[str] = []
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
        wanted = self.world.to_compare()
        worst, self.factory.worst_first = self.factory.worst_first, False
        if worst:
            self.kind = LOST
        if wanted == self.asked and self.found is not None:
            self.fill()
        elif wanted != [""]:
            self.asked, self.found, self.failed, self.other = wanted, None, "", 1
            self.headed(lambda room: [line(("comparing …", "run"))])
            self.run_worker(lambda: self._work(wanted), thread=True, group="compare", exclusive=True)
        else:
            self._fail("there is no run yet; `factory build SPEC` makes one")
        if worst:
            self.deck.turn("rows")

    def _work(self, wanted: list[str]) -> None:
        """In a thread: pair the rows, then metric after metric."""
        tell = self.app.call_from_thread
        try:
            made = beside(self.world.home, wanted)
            _ = made.shelf.rows, made.shelf.task, made.shelf.tables, made.fields
            if wanted == self.asked:
                tell(self._come, made)
            for _ in made.work():
                if wanted != self.asked:
                    return
                tell(self._metrics)
        except BROKEN as error:
            tell(self._fail, unreadable(error))

    def _come(self, made: Beside) -> None:
        self.found = made
        self.fill()

    def _fail(self, text: str) -> None:
        self.found, self.failed = None, text
        self.fill()

    def pair(self) -> ContenderComparison | None:
        """The two whose rows are shown; None when they have none in common."""
        try:
            return self.found.pair(0, self.other) if self.found else None
        except FactoryError as error:
            self.failed = str(error)
            return None

    def fill(self) -> None:
        """All panels."""
        found, pair = self.found, self.pair()
        if found is None:
            self.headed(lambda room: wrapped(self.failed or "comparing …", room, "warn" if self.failed else "run"))
            for name in ("rows", "metrics", "spec"):
                self.listing(name).tell(Grid((), (), "nothing to compare" if self.failed else "comparing …"))
            return
        self.headed(lambda room: self._head(found, pair, room))
        title = f"{self.kind or 'all'} rows: A against {LETTERS[self.other]}, {found.metric}"
        self.listing("rows").border_title = escape(title[0].upper() + title[1:])
        self.listing("rows").tell(view.rows(found, pair, self.kind))
        self.listing("spec").tell(view.fields(found))
        self._metrics()
        self._outputs()

    def _head(self, found: Beside, pair: ContenderComparison | None, room: int) -> list[Line]:
        said = [view.counts(pair)] if pair is not None else wrapped(self.failed, room, "warn", "! ")
        return [*view.legend(found, self.other, room)[:5], *said]

    def _metrics(self) -> None:
        if self.found is not None:
            self.listing("metrics").tell(view.metrics(self.found, self.found.scores))

    @on(Listing.Moved, "#rows")
    def _outputs(self) -> None:
        found, current, other = self.found, self.listing("rows").current, self.other
        if found is None or current is None:
            self.pages("outputs").tell(lambda room: [line(("no row is chosen", "dim"))])
            return
        self.pages("outputs").tell(lambda room: view.outputs(found, current.key, other, room))
        self.pages("outputs").scroll_to(y=0, animate=False)

    @on(Listing.Chosen, "#rows")
    def _opened(self) -> None:
        self.deck.turn("outputs")

    def action_regression(self, by: int) -> None:
        """The next row that A lost, around the end."""
        rows = self.listing("rows")
        lost = [i for i, r in enumerate(rows.grid.records) if r.values[0] == LOST]
        if not lost:
            self.notify("A lost none of these rows")
            return
        later = [i for i in lost if i > rows.cursor] if by > 0 else [i for i in lost if i < rows.cursor]
        rows.go((later or lost)[0 if by > 0 else -1])

    def action_opponent(self) -> None:
        """The next of the others."""
        if self.found is not None:
            self.other = self.other % (len(self.found.sides) - 1) + 1
            self.fill()

    def action_only(self) -> None:
        """Rows of another result."""
        self.kind = KINDS[(KINDS.index(self.kind) + 1) % len(KINDS)]
        self.fill()

    def action_swap(self) -> None:
        """The other in the place of A."""
        if self.found is not None:
            labels = [side.label for side in self.found.sides]
            labels.insert(0, labels.pop(self.other))
            self.world.sides = labels
            self.arrive()
