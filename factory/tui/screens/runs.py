"""Runs: what there is, how it is, what may ship."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.binding import BindingType
from textual.widget import Widget

from factory.tui import forget
from factory.tui.keys import Key, bindings
from factory.tui.lines import Line, line, wrap
from factory.tui.screens.base import Page
from factory.tui.screens.help import ConfirmScreen
from factory.tui.views import runs as view
from factory.tui.widgets.listing import Listing
from factory.tui.widgets.pages import Pages
from factory.tui.widgets.panel import LARGE, MEDIUM, SMALL, Block, Slot

KEYS = (
    Key("enter", "open", "open the verdict of a run, or the run itself while it has none", "open"),
    Key("space", "mark", "mark or unmark a run", "mark"),
    Key("c", "compare", "compare the marked runs, or the contenders of this one", "compare"),
    Key("slash", "search", "filter as you type", "filter"),
    Key("s", "sort", "sort by the next column; S the other way round", "sort"),
    Key("o", "show", "the run itself: stages, curves, log"),
    Key("d", "delete", "delete the marked runs, or this one", "delete"),
)
ABOUT = (
    "Every run, the newest first. A run that says ▲ SHIP beat everything it was held against, outside the noise: "
    "`gain` says by how much and over whom. Enter shows why, and where it got worse."
)


class RunsPage(Page):
    """The list of runs."""

    KEYS = KEYS
    ABOUT = ABOUT
    BINDINGS: ClassVar[list[BindingType]] = bindings([k for k in KEYS if k.action not in ("open", "search", "sort")])
    ARRANGEMENTS: ClassVar = {name: (Block((Slot("list"), Slot("about", rows=3))),) for name in (SMALL, MEDIUM, LARGE)}

    def __init__(self) -> None:
        super().__init__()
        self.wanted = ""
        """The run that the cursor is to be on as soon as it is read."""

    def panels(self) -> Sequence[Widget]:
        """The list, and what to do about the run under the cursor."""
        about = Pages("about", "this run")
        about.can_focus = False
        return Listing("list", "Runs", stick_to_top=True), about

    def arrive(self) -> None:
        """The cursor is on the run that was looked at elsewhere."""
        self.wanted = self.world.chosen
        self.fill()

    def fill(self) -> None:
        """From the index."""
        world = self.world
        every = world.index.all()
        self.headed(self._counts)
        self.listing("list").marked = world.marked
        self.listing("list").tell(view.grid(every, world.clock(), world.finishes))
        if self.wanted and self.listing("list").go_to(self.wanted):
            self.wanted = ""
        self._about()

    def _counts(self, room: int) -> list[Line]:
        every = self.world.index.all()
        running = sum(one.state == "running" for one in every)
        ships = sum(one.verdict == "SHIP" for one in every)
        there = len(self.world.index._folders()) if self.factory.looking is not None else len(every)
        return wrap(
            line(
                f"{len(every)} runs" if there <= len(every) else f"{len(every)} of {there} runs read",
                (f"   ▶ {running} running", "run" if running else "dim"),
                (f"   ▲ {ships} may ship", "good" if ships else "dim"),
                (f"   ● {len(self.world.marked)} marked" if self.world.marked else "", "accent"),
            ),
            room,
        )

    def index_changed(self) -> None:
        """Runs came, went or moved on."""
        self.fill()

    def tick(self) -> None:
        """Once in a while: times, and how long those that run will take."""
        if self.factory.beats % 20 == 1 and self.world.running():
            self.factory.look_ahead()

    def looked_ahead(self) -> None:
        """How long those that run will take is known."""
        self.fill()

    def current(self) -> str:
        """The run under the cursor."""
        found = self.listing("list").current
        return found.key if found else ""

    def _about(self) -> None:
        one = self.world.index.found.get(self.current())
        self.pages("about").tell(lambda room: view.preview(one, room))

    @on(Listing.Moved)
    def _moved(self, event: Listing.Moved) -> None:
        if event.by_hand:
            self.world.chosen, self.wanted = self.current(), ""
        self._about()

    @on(Listing.Chosen)
    def _opened(self, event: Listing.Chosen) -> None:
        one = self.world.index.found.get(event.record.key)
        self.factory.open_run(event.record.key, "verdict" if one is not None and one.verdict else "run")

    def action_show(self) -> None:
        """The run itself."""
        if self.current():
            self.factory.open_run(self.current())

    def action_mark(self) -> None:
        """Mark, and go on to the next."""
        listing = self.listing("list")
        if listing.current is not None:
            self.world.marked ^= {listing.current.key}
            listing.marked = self.world.marked
            listing.action_move(1)
            self.headed(self._counts)

    def action_compare(self) -> None:
        """The marked runs beside each other."""
        self.world.sides, self.world.chosen = [], self.current()
        self.factory.action_page("compare")

    def action_delete(self) -> None:
        """Ask first, and say what would be lost."""
        world = self.world
        wanted = [one.id for one in world.index.all() if one.id in world.marked] or [self.current()]
        lost = forget.losses(world.index, [run for run in wanted if run])
        if not lost.runs:
            why = "; ".join(lost.said) or "nothing is chosen"
            self.notify(f"nothing to delete: {why}", severity="warning")
            return
        room = min(90, self.app.size.width * 7 // 10 - 4)
        said = [each for text in lost.said for each in wrap(line(text), room)]

        def answered(yes: bool | None) -> None:
            if yes:
                self._delete(lost.runs)

        self.app.push_screen(ConfirmScreen(said), answered)

    def _delete(self, runs: Sequence[str]) -> None:
        gone = forget.forget(self.world.home, runs)
        self.world.forget(gone)
        self.world.index.refresh()
        self.fill()
        self.notify(f"deleted {len(gone)} of {len(runs)} runs")
