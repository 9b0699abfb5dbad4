"""The Runs screen: every run with its state, its verdict and its gain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.widget import Widget

from factory.events import Verdict
from factory.runs.run_view import RUNNING
from factory.tui import delete_runs
from factory.tui.keys import Key
from factory.tui.rich_text import Line, make_line, sanitise, wrap_line
from factory.tui.screens.base import Page
from factory.tui.screens.help import ConfirmScreen
from factory.tui.widgets.listing import Listing
from factory.tui.widgets.pages import Pages
from factory.tui.widgets.panel import LARGE, MEDIUM, SMALL, Block, Slot
from factory.views.formatting import format_count
from factory.views.runs import build_runs_table, describe_outcome


class RunsPage(Page):
    """List the runs."""

    KEYS = (
        Key("enter", "open", "open the verdict of a run, or its stages while it has none", "open"),
        Key("space", "mark", "mark or unmark a run", "mark"),
        Key("c", "compare", "compare the marked runs, or the contenders of this one", "compare"),
        Key("slash", "search", "filter as you type", "filter"),
        Key("s", "sort", "sort by the next column; S reverses the order", "sort"),
        Key("o", "show", "open the run: stages, curves, log"),
        Key("d", "delete", "delete the marked runs, or this one", "delete"),
    )
    ABOUT = (
        "Every run, the newest first. A run with ▲ SHIP beat every baseline by a statistically significant margin: "
        "`gain` shows by how much, and over which baseline. Enter shows why, and where it got worse."
    )
    ARRANGEMENTS: ClassVar = {name: (Block((Slot("list"), Slot("about", rows=3))),) for name in (SMALL, MEDIUM, LARGE)}

    def __init__(self) -> None:
        super().__init__()
        self.run_to_select = ""
        """The run to put the cursor on as soon as its journal is read."""

    def compose_panels(self) -> Sequence[Widget]:
        preview = Pages("about", "Selected run")
        preview.can_focus = False
        return Listing("list", "Runs", stick_to_top=True), preview

    def arrive(self) -> None:
        """Put the cursor on the run that another screen selected."""
        self.run_to_select = self.state.selected_run
        self.fill()

    def fill(self) -> None:
        state, listing = self.state, self.listing("list")
        self.show_head(self._render_counts)
        listing.marked = state.marked_runs
        remaining = {run: (estimate.seconds, estimate.text) for run, estimate in state.remaining_times.items()}
        listing.set_content(build_runs_table(state.index.list_runs(), state.clock(), remaining))
        if self.run_to_select and listing.move_to_key(self.run_to_select):
            self.run_to_select = ""
        self._show_preview()

    def _render_counts(self, width: int) -> list[Line]:
        runs, marked = self.state.index.list_runs(), len(self.state.marked_runs)
        running = sum(run.state == RUNNING for run in runs)
        shippable = sum(Verdict.from_word(run.verdict).ships for run in runs)
        total = len(self.state.index.list_run_ids()) if self.factory.refresh_steps is not None else len(runs)
        count = format_count(max(total, len(runs)), "run")
        line = make_line(
            count if total <= len(runs) else f"{len(runs):,} of {count} read",
            (f"   ▶ {running} running", "run" if running else "dim"),
            (f"   ▲ {shippable} may ship", "good" if shippable else "dim"),
            (f"   ● {marked} marked" if marked else "", "accent"),
        )
        return wrap_line(line, width)

    def index_changed(self) -> None:
        self.fill()

    def tick(self) -> None:
        """Every two seconds, estimate how long the active runs will take."""
        if self.factory.tick_count % 20 == 1 and self.state.list_running():
            self.factory.estimate_remaining_times()

    def estimates_changed(self) -> None:
        self.fill()

    def get_current_run(self) -> str:
        """Return the id of the run under the cursor; empty when there is none."""
        row = self.listing("list").current
        return row.key if row else ""

    def _show_preview(self) -> None:
        run = self.state.index.summaries.get(self.get_current_run())
        line = make_line((sanitise(run.name), "strong"), f"  {sanitise(describe_outcome(run))}") if run else ()
        self.pages("about").set_content(lambda width: wrap_line(line, width))

    @on(Listing.Moved)
    def _handle_move(self, event: Listing.Moved) -> None:
        if event.by_hand:
            self.state.selected_run, self.run_to_select = self.get_current_run(), ""
        self._show_preview()

    @on(Listing.Chosen)
    def _handle_chosen(self, event: Listing.Chosen) -> None:
        summary = self.state.index.summaries.get(event.row.key)
        self.factory.open_run(event.row.key, "verdict" if summary is not None and summary.verdict else "run")

    def action_show(self) -> None:
        if self.get_current_run():
            self.factory.open_run(self.get_current_run())

    def action_mark(self) -> None:
        """Mark or unmark the run, and go to the next."""
        listing = self.listing("list")
        if listing.current is not None:
            self.state.marked_runs ^= {listing.current.key}
            listing.marked = self.state.marked_runs
            listing.action_move(1)
            self.show_head(self._render_counts)

    def action_compare(self) -> None:
        self.state.compared, self.state.selected_run = [], self.get_current_run()
        self.factory.action_page("compare")

    def action_delete(self) -> None:
        """Show what deleting would lose, and ask whether to."""
        index = self.state.index
        selected = [run.id for run in index.list_runs() if run.id in self.state.marked_runs] or [self.get_current_run()]
        plan = delete_runs.plan_deletion(index, selected)
        if not plan.runs:
            reason = "; ".join(plan.messages) or "no run is selected"
            self.notify(f"nothing to delete: {reason}", severity="warning")
            return
        width = min(90, self.app.size.width * 7 // 10 - 4)

        def handle_answer(yes: bool | None) -> None:
            if yes:
                self._delete(plan.runs)

        lines = [line for message in plan.messages for line in wrap_line(make_line(message), width)]
        self.app.push_screen(ConfirmScreen(lines), handle_answer)

    def _delete(self, runs: Sequence[str]) -> None:
        deleted = delete_runs.delete_runs(self.state.home, runs)
        self.state.drop_runs(deleted)
        self.state.index.refresh()
        self.fill()
        self.notify(f"deleted {len(deleted)} of {format_count(len(runs), 'run')}")
