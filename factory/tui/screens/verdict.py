"""Verdict: should it ship, why, and where it is weak."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.binding import BindingType
from textual.markup import escape
from textual.widget import Widget

from factory.evaluation import compare
from factory.evaluation.slices import Slice
from factory.runs.run_outputs import RunOutputs
from factory.tui.comparison import compute_slices
from factory.tui.keys import Key, make_bindings
from factory.tui.rich_text import make_line
from factory.tui.screens.base import Page
from factory.tui.views import totals_view
from factory.tui.views import verdict_view as view
from factory.tui.widgets.listing import Listing
from factory.tui.widgets.pages import Pages
from factory.tui.widgets.panel import ACTIVE, LARGE, MEDIUM, SMALL, Block, Slot
from factory.views import formatting

KEYS = (
    Key("w", "worst", "the rows where the tuned model got worse", "where it got worse"),
    Key("c", "compare", "compare its contenders row by row", "compare"),
    Key("o", "app.page('run')", "the run itself", "run"),
    Key("t", "try_it", "try the specialist", "try"),
    Key("n", "other(1)", "the verdict of the next run in the list", "next"),
    Key("p", "other(-1)", "the verdict of the previous run", "previous"),
    Key("r", "report", "write the HTML report and open it", "report"),
)
ABOUT = (
    "Whether a run may ship, and why. Every contender answered the same rows; the interval of a gain must lie "
    "above the margin for all of them. `w` goes to the rows where the tuned model did worse."
)


class VerdictPage(Page):
    """The verdict of one run."""

    KEYS = KEYS
    ABOUT = ABOUT
    BINDINGS: ClassVar[list[BindingType]] = make_bindings(KEYS)
    ARRANGEMENTS: ClassVar = {
        SMALL: (Block((Slot(ACTIVE),)),),
        MEDIUM: (Block((Slot("contenders", 0.8), Slot(ACTIVE, 1.0))),),
        LARGE: (
            Block((Slot("contenders", 1.0), Slot("why", 0.9), Slot("slices", 1.6)), 1.25),
            Block((Slot("whole", 1.6), Slot("elsewhere", 0.6), Slot("costs", 0.8)), 1.0),
        ),
    }

    def __init__(self) -> None:
        super().__init__()
        self.evidence: RunOutputs | None = None
        self.found: dict[str, list[Slice]] = {}
        """Run → slices."""

    def panels(self) -> Sequence[Widget]:
        """In the order of Tab."""
        return (
            Listing("contenders", "Contenders"),
            Pages("why", "Why"),
            Listing("slices", "Slices"),
            Pages("whole", "All rows"),
            Listing("elsewhere", "Forgetting"),
            Listing("costs", "Cost"),
        )

    def arrive(self) -> None:
        """Another run, maybe."""
        run = self.state.get_run_id()
        if not run:
            self.show_head(lambda room: [make_line(("no runs yet: start one with `factory build SPEC`", "dim"))])
            return
        self.evidence = self.state.get_run_outputs(run)
        self.fill()
        if run not in self.found and self.evidence.read_stage_json("gate"):
            self.run_worker(lambda: self._compute_slices(run), thread=True, group="slices", exclusive=True)

    def fill(self) -> None:
        """All panels."""
        evidence = self.evidence
        if evidence is None:
            return
        gate = evidence.read_stage_json("gate")
        self.show_head(lambda room: view.render_headline(evidence, room))
        self.listing("contenders").set_content(view.build_contenders_table(evidence))
        self.pages("why").set_content(lambda room: view.render_reasons(evidence, room))
        other = str(formatting.find_deciding_comparison(gate).get("baseline", ""))
        found = self.found.get(evidence.run.id) if gate else []
        self.listing("slices").border_title = escape(f"Slices: tuned against {other}" if other else "Slices")
        self.listing("slices").set_content(view.build_slices_table(found, float(gate.get("confidence", 0.95)), other))
        self.pages("whole").set_content(
            lambda room: totals_view.render_page(evidence, compare.find_tuned_contender(evidence.run), room)
        )
        self.listing("elsewhere").set_content(view.build_forgetting_table(evidence))
        self.listing("costs").set_content(view.build_costs_table(evidence))

    def index_changed(self) -> None:
        """The run may have come to its verdict."""
        run = self.state.get_run_id()
        if self.evidence is None or (run and self.state.get_watcher(run).poll()):
            self.arrive()

    def _compute_slices(self, run: str) -> None:
        """In a thread: the parts of the test set, against what decided."""
        assert self.evidence is not None
        made = compute_slices(self.evidence)

        def tell() -> None:
            self.found[run] = made
            self.fill()

        self.app.call_from_thread(tell)

    @on(Listing.Chosen, "#contenders")
    def _handle_contender_chosen(self, event: Listing.Chosen) -> None:
        run = self.state.get_run_id()
        mine = compare.find_tuned_contender(self.state.get_run_outputs(run).run)
        if event.record.key != mine:
            self.state.compared = [f"{run}:{mine}", f"{run}:{event.record.key}"]
            self.factory.action_page("compare")

    def action_worst(self) -> None:
        """The rows where it got worse, against what decided."""
        self.state.compared = [self.state.get_run_id()]
        self.state.worst_first = True
        self.factory.action_page("compare")

    def action_compare(self) -> None:
        """Its contenders beside each other."""
        self.state.compared = [self.state.get_run_id()]
        self.factory.action_page("compare")

    def action_try_it(self) -> None:
        """Ask it."""
        self.factory.action_page("try")

    def action_other(self, by: int) -> None:
        """The next run with a verdict, as the list of runs stands."""
        every = [one.id for one in self.state.index.list_runs() if one.verdict]
        here = every.index(self.state.get_run_id()) if self.state.get_run_id() in every else -1
        if every:
            self.state.selected_run = every[(here + by) % len(every)]
            self.arrive()

    def action_report(self) -> None:
        """The HTML report."""
        self.factory.write_report(self.state.get_run_id())
