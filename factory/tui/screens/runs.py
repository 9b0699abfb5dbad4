"""Runs: what there is, how it is, what may ship."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.binding import BindingType
from textual.widget import Widget

from factory.tui import delete_runs
from factory.tui.keys import Key, make_bindings
from factory.tui.rich_text import Line, make_line, wrap_line
from factory.tui.screens.base import Page
from factory.tui.screens.help import ConfirmScreen
from factory.tui.views import runs_view as view
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
    "Every run, the newest first. A run marked ▲ SHIP beat every baseline, outside the noise: "
    "`gain` says by how much and over whom. Enter shows why, and where it got worse."
)


class RunsPage(Page):
    """The list of runs."""

    KEYS = KEYS
    ABOUT = ABOUT
    BINDINGS: ClassVar[list[BindingType]] = make_bindings(
        [k for k in KEYS if k.action not in ("open", "search", "sort")]
    )
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
        self.wanted = self.state.selected_run
        self.fill()

    def fill(self) -> None:
        """From the index."""
        state = self.state
        every = state.index.list_runs()
        self.show_head(self._render_counts)
        self.listing("list").marked = state.marked_runs
        self.listing("list").set_content(view.build_runs_table(every, state.clock(), state.remaining_times))
        if self.wanted and self.listing("list").go_to(self.wanted):
            self.wanted = ""
        self._show_preview()

    def _render_counts(self, room: int) -> list[Line]:
        every = self.state.index.list_runs()
        running = sum(one.state == "running" for one in every)
        ships = sum(one.verdict == "SHIP" for one in every)
        there = len(self.state.index.list_run_ids()) if self.factory.refresh_steps is not None else len(every)
        return wrap_line(
            make_line(
                f"{len(every)} runs" if there <= len(every) else f"{len(every)} of {there} runs read",
                (f"   ▶ {running} running", "run" if running else "dim"),
                (f"   ▲ {ships} may ship", "good" if ships else "dim"),
                (f"   ● {len(self.state.marked_runs)} marked" if self.state.marked_runs else "", "accent"),
            ),
            room,
        )

    def index_changed(self) -> None:
        """Runs came, went or moved on."""
        self.fill()

    def tick(self) -> None:
        """Once in a while: times, and how long those that run will take."""
        if self.factory.tick_count % 20 == 1 and self.state.list_running():
            self.factory.estimate_remaining_times()

    def estimates_changed(self) -> None:
        """How long those that run will take is known."""
        self.fill()

    def current(self) -> str:
        """The run under the cursor."""
        found = self.listing("list").current
        return found.key if found else ""

    def _show_preview(self) -> None:
        one = self.state.index.summaries.get(self.current())
        self.pages("about").set_content(lambda room: view.render_preview(one, room))

    @on(Listing.Moved)
    def _handle_move(self, event: Listing.Moved) -> None:
        if event.by_hand:
            self.state.selected_run, self.wanted = self.current(), ""
        self._show_preview()

    @on(Listing.Chosen)
    def _handle_chosen(self, event: Listing.Chosen) -> None:
        one = self.state.index.summaries.get(event.record.key)
        self.factory.open_run(event.record.key, "verdict" if one is not None and one.verdict else "run")

    def action_show(self) -> None:
        """The run itself."""
        if self.current():
            self.factory.open_run(self.current())

    def action_mark(self) -> None:
        """Mark, and go on to the next."""
        listing = self.listing("list")
        if listing.current is not None:
            self.state.marked_runs ^= {listing.current.key}
            listing.marked = self.state.marked_runs
            listing.action_move(1)
            self.show_head(self._render_counts)

    def action_compare(self) -> None:
        """The marked runs beside each other."""
        self.state.compared, self.state.selected_run = [], self.current()
        self.factory.action_page("compare")

    def action_delete(self) -> None:
        """Ask first, and say what would be lost."""
        state = self.state
        wanted = [one.id for one in state.index.list_runs() if one.id in state.marked_runs] or [self.current()]
        lost = delete_runs.plan_deletion(state.index, [run for run in wanted if run])
        if not lost.runs:
            why = "; ".join(lost.messages) or "nothing is selected"
            self.notify(f"nothing to delete: {why}", severity="warning")
            return
        room = min(90, self.app.size.width * 7 // 10 - 4)
        said = [each for text in lost.messages for each in wrap_line(make_line(text), room)]

        def handle_answer(yes: bool | None) -> None:
            if yes:
                self._delete(lost.runs)

        self.app.push_screen(ConfirmScreen(said), handle_answer)

    def _delete(self, runs: Sequence[str]) -> None:
        gone = delete_runs.delete_runs(self.state.home, runs)
        self.state.drop_runs(gone)
        self.state.index.refresh()
        self.fill()
        self.notify(f"deleted {len(gone)} of {len(runs)} runs")
