"""The Verdict screen: whether a run may ship, why, and on which slices it is weak."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.markup import escape
from textual.widget import Widget

from factory.evaluation import compare
from factory.evaluation.comparison import load_deciding_comparison, load_slices
from factory.evaluation.slices import Slice
from factory.runs.run_outputs import RunOutputs
from factory.runs.run_view import GATE_STAGE
from factory.tui.keys import Key
from factory.tui.rich_text import sanitise
from factory.tui.screens.base import NO_RUNS, Page
from factory.tui.views import totals_view
from factory.tui.views import verdict_view as view
from factory.tui.widgets.listing import Listing
from factory.tui.widgets.pages import Pages
from factory.tui.widgets.panel import ACTIVE, LARGE, MEDIUM, SMALL, Block, Slot
from factory.views.cost import build_answer_costs_table, describe_build_cost, measure_build_cost
from factory.views.verdict import build_verdict_view
from factory.views.verdict_tables import build_slices_table


class VerdictPage(Page):
    """Show the verdict of one run."""

    KEYS = (
        Key("w", "show_losses", "show the rows where the tuned model got worse", "where it got worse"),
        Key("c", "compare", "compare the contenders row by row", "compare"),
        Key("o", "app.page('run')", "open the run: stages, curves, log", "run"),
        Key("t", "app.page('try')", "try this specialist", "try"),
        Key("n", "step_run(1)", "show the verdict of the next run in the list", "next"),
        Key("p", "step_run(-1)", "show the verdict of the previous run", "previous"),
        Key("r", "report", "write the HTML report and open it", "report"),
    )
    HEAD_SHARE = 0.3  # verdict, sentence and advice in a terminal of 80x24
    ABOUT = (
        "Whether a run may ship, and why. Every contender answered the same rows. To ship, the interval of the gain "
        "must lie above the margin for every baseline. `w` shows the rows where the tuned model got worse."
    )
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
        self.outputs: RunOutputs | None = None
        self.slices: dict[str, list[Slice]] = {}
        """Run → slices."""
        self.costs: dict[str, str] = {}
        """Run → what its build cost."""

    def compose_panels(self) -> Sequence[Widget]:
        return (
            Listing("contenders", "Contenders"), Pages("why", "Why"), Listing("slices", "Slices"),
            Pages("whole", "All rows"), Listing("elsewhere", "Forgetting"), Listing("costs", "Cost"),
        )

    def arrive(self) -> None:
        """Show the selected run, and start to compute its slices."""
        run = self.state.get_run_id()
        if not run:
            self.show_message(NO_RUNS)
            return
        self.outputs = self.state.get_run_outputs(run)
        self.fill()
        if run not in self.slices and self.outputs.find_stage_folder(GATE_STAGE):
            self.run_worker(lambda: self._compute_details(run), thread=True, group="slices", exclusive=True)

    def fill(self) -> None:
        outputs = self.outputs
        if outputs is None:
            return
        page = build_verdict_view(outputs)
        self.show_head(lambda width: view.render_headline(page, outputs.run, width))
        self.listing("contenders").set_content(page.contenders)
        self.pages("why").set_content(lambda width: view.render_reasons(page, width))
        baseline, slices = page.baseline, self.slices.get(outputs.run.id) if page.verdict else []
        self.listing("slices").border_title = escape(f"Slices: tuned against {baseline}" if baseline else "Slices")
        self.listing("slices").set_content(build_slices_table(slices, page.confidence, page.tuned, baseline))
        self.pages("whole").set_content(lambda width: totals_view.render_page(page, width))
        drift = sanitise(", ".join(page.drift))
        self.listing("elsewhere").border_title = escape(f"Forgetting: {drift}" if drift else "Forgetting")
        self.listing("elsewhere").set_content(page.forgetting)
        cost = self.costs.get(outputs.run.id, "")
        self.listing("costs").border_title = escape(f"Cost: {cost}" if cost else "Cost")
        self.listing("costs").set_content(build_answer_costs_table(outputs))

    def index_changed(self) -> None:
        """Show the verdict as soon as the run reaches it."""
        run = self.state.get_run_id()
        if self.outputs is None or (run and self.state.get_watcher(run).poll()):
            self.arrive()

    def _compute_details(self, run: str) -> None:
        """In a thread, sum up what the build cost, and compare tuned with the deciding baseline slice by slice."""
        assert self.outputs is not None
        cost = describe_build_cost(measure_build_cost(self.outputs))
        slices = load_slices(load_deciding_comparison(self.outputs))

        def publish() -> None:
            self.slices[run], self.costs[run] = slices, cost
            self.fill()

        self.app.call_from_thread(publish)

    @on(Listing.Chosen, "#contenders")
    def _handle_contender_chosen(self, event: Listing.Chosen) -> None:
        run = self.state.get_run_id()
        tuned = compare.find_tuned_contender(self.state.get_run_outputs(run).run)
        if event.row.key != tuned:
            self.state.compared = [f"{run}:{tuned}", f"{run}:{event.row.key}"]
            self.factory.action_page("compare")

    def action_show_losses(self) -> None:
        self.state.worst_first = True
        self.action_compare()

    def action_compare(self) -> None:
        self.state.compared = [self.state.get_run_id()]
        self.factory.action_page("compare")

    def action_step_run(self, by: int) -> None:
        """Go to the next or the previous run that has a verdict, in the order of the list of runs."""
        runs, current = [run.id for run in self.state.index.list_runs() if run.verdict], self.state.get_run_id()
        if runs:
            index = runs.index(current) if current in runs else -1
            self.state.selected_run = runs[(index + by) % len(runs)]
            self.arrive()

    def action_report(self) -> None:
        self.factory.write_report(self.state.get_run_id())
