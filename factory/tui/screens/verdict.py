"""Verdict: should it ship, why, and where it is weak."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.binding import BindingType
from textual.markup import escape
from textual.widget import Widget

from factory.evaluation import compare
from factory.evaluation.slices import Slice, compare_slices
from factory.runs.run_outputs import RunOutputs
from factory.tui.broken import BROKEN
from factory.tui.keys import Key, bindings
from factory.tui.lines import line
from factory.tui.screens.base import Page
from factory.tui.views import verdict as view
from factory.tui.views import whole
from factory.tui.widgets.listing import Listing
from factory.tui.widgets.pages import Pages
from factory.tui.widgets.panel import ACTIVE, LARGE, MEDIUM, SMALL, Block, Slot
from factory.views import formatting

KEYS = (
    Key("w", "worst", "the rows where it got worse", "where it got worse"),
    Key("c", "compare", "its contenders beside each other, row by row", "compare"),
    Key("o", "app.page('run')", "the run itself", "run"),
    Key("t", "try_it", "ask it something", "try"),
    Key("n", "other(1)", "the verdict of the next run in the list", "next"),
    Key("p", "other(-1)", "the verdict of the run before", "previous"),
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
    BINDINGS: ClassVar[list[BindingType]] = bindings(KEYS)
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
        run = self.world.run()
        if not run:
            self.headed(lambda room: [line(("there is no run yet; `factory build SPEC` makes one", "dim"))])
            return
        self.evidence = self.world.evidence(run)
        self.fill()
        if run not in self.found and self.evidence.read_stage_json("gate"):
            self.run_worker(lambda: self._slices(run), thread=True, group="slices", exclusive=True)

    def fill(self) -> None:
        """All panels."""
        evidence = self.evidence
        if evidence is None:
            return
        gate = evidence.read_stage_json("gate")
        self.headed(lambda room: view.headline(evidence, room))
        self.listing("contenders").tell(view.contenders(evidence))
        self.pages("why").tell(lambda room: view.reasoning(evidence, room))
        other = str(formatting.find_deciding_comparison(gate).get("baseline", ""))
        found = self.found.get(evidence.run.id) if gate else []
        self.listing("slices").border_title = escape(f"Slices: tuned against {other}" if other else "Slices")
        self.listing("slices").tell(view.slices(found, float(gate.get("confidence", 0.95)), other))
        self.pages("whole").tell(lambda room: whole.page(evidence, compare.find_tuned_contender(evidence.run), room))
        self.listing("elsewhere").tell(view.forgetting(evidence))
        self.listing("costs").tell(view.costs(evidence))

    def index_changed(self) -> None:
        """The run may have come to its verdict."""
        run = self.world.run()
        if self.evidence is None or (run and self.world.watching(run).look()):
            self.arrive()

    def _slices(self, run: str) -> None:
        """In a thread: the parts of the test set, against what decided."""
        assert self.evidence is not None
        made = slices_of(self.evidence)

        def tell() -> None:
            self.found[run] = made
            self.fill()

        self.app.call_from_thread(tell)

    @on(Listing.Chosen, "#contenders")
    def _against(self, event: Listing.Chosen) -> None:
        run = self.world.run()
        mine = compare.find_tuned_contender(self.world.evidence(run).run)
        if event.record.key != mine:
            self.world.sides = [f"{run}:{mine}", f"{run}:{event.record.key}"]
            self.factory.action_page("compare")

    def action_worst(self) -> None:
        """The rows where it got worse, against what decided."""
        self.world.sides = [self.world.run()]
        self.factory.worst_first = True
        self.factory.action_page("compare")

    def action_compare(self) -> None:
        """Its contenders beside each other."""
        self.world.sides = [self.world.run()]
        self.factory.action_page("compare")

    def action_try_it(self) -> None:
        """Ask it."""
        self.factory.action_page("try")

    def action_other(self, by: int) -> None:
        """The next run with a verdict, as the list of runs stands."""
        every = [one.id for one in self.world.index.all() if one.verdict]
        here = every.index(self.world.run()) if self.world.run() in every else -1
        if every:
            self.world.chosen = every[(here + by) % len(every)]
            self.arrive()

    def action_report(self) -> None:
        """The HTML report."""
        self.factory.report(self.world.run())


def slices_of(evidence: RunOutputs) -> list[Slice]:
    """The parts of the test set against what decided; none when rows or task are not there."""
    try:
        other = str(formatting.find_deciding_comparison(evidence.read_stage_json("gate")).get("baseline", ""))
        pair = compare.compare_contenders(compare.ContenderResults(evidence, compare.find_tuned_contender(evidence.run)), compare.ContenderResults(evidence, other))
        return compare_slices(pair, compare.FrozenRowViewer(evidence))
    except BROKEN:
        return []
