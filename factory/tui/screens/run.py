"""One run: its stages live, its curves, its log, its data; and any moment of its past."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.binding import BindingType
from textual.markup import escape
from textual.widget import Widget

from factory.runs.run_view import CACHED, FAILED, RUNNING, RunView
from factory.tui.estimates import ProcessUsage, measure_process_usage
from factory.tui.keys import Key, make_bindings
from factory.tui.replay import Replay
from factory.tui.rich_text import Line
from factory.tui.run_watcher import RunWatcher
from factory.tui.screens.base import Page
from factory.tui.views import data, log, run
from factory.tui.widgets.curves import SMOOTHING, Curves, CurveStyle
from factory.tui.widgets.listing import Listing
from factory.tui.widgets.pages import Pages
from factory.tui.widgets.panel import ACTIVE, LARGE, MEDIUM, SMALL, Block, Slot, choose_layout

KEYS = (
    Key("left,comma", "scrub(-0.01)", "back in the run's past", "past"),
    Key("right,full_stop", "scrub(0.01)", "forward again"),
    Key("less_than_sign,shift+left", "scrub(-0.1)", "far back"),
    Key("greater_than_sign,shift+right", "scrub(0.1)", "far forward"),
    Key("space", "play", "play the past, or stop", "play"),
    Key("left_square_bracket", "speed(0.5)", "play at half the speed"),
    Key("right_square_bracket", "speed(2)", "play at twice the speed"),
    Key("L", "live", "leave the replay and show the live state", "live"),
    Key("m", "measure", "the next metric", "measure"),
    Key("l", "log_scale", "logarithmic scale", "log"),
    Key("w", "smooth", "smooth curves more, or not at all", "smooth"),
    Key("o", "overlay", "overlay the curves of the marked runs", "overlay"),
    Key("v", "app.page('verdict')", "its verdict", "verdict"),
)
ABOUT = (
    "One run. The stages stand in the order of the plan; those with a rail stand beside each other. Enter on a "
    "stage says why it ran and what it took. ← and → go through the past of the run, space plays it."
)


CURVE_TICKS = 3
"""Beats between two drawings of curves: each takes longer than a key may."""


class RunPage(Page):
    """One run, live or past."""

    KEYS = KEYS
    ABOUT = ABOUT
    BINDINGS: ClassVar[list[BindingType]] = make_bindings(KEYS)
    ARRANGEMENTS: ClassVar = {
        SMALL: (Block((Slot(ACTIVE),)),),
        MEDIUM: (Block((Slot("stages", 1.0), Slot(ACTIVE, 1.0))),),
        LARGE: (
            Block((Slot("stages", 1.3), Slot("detail", 1.0)), 1.0),
            Block((Slot("curve", 1.2), Slot("log", 1.0)), 1.1),
            Block((Slot("funnel", 1.0), Slot("preflight", 1.0), Slot("findings", 0.8)), 1.0),
        ),
    }

    def panels(self) -> Sequence[Widget]:
        """In the order of Tab."""
        return (
            Listing("stages", "Stages"),
            Curves("curve", "Loss"),
            Pages("log", "Log", follow=True),
            Listing("funnel", "Data"),
            Listing("preflight", "Preflight"),
            Pages("findings", "Rows"),
            Pages("detail", "Stage"),
        )

    def __init__(self) -> None:
        super().__init__()
        self.watcher: RunWatcher | None = None
        self.replay = Replay()
        self.how = CurveStyle()
        self.metric = "loss"
        self.overlaid = False
        self.usage: ProcessUsage | None = None
        self.tail: log.LogTail | None = None
        self.finished_stages = -1
        self.cursor_moved = False
        """Whether a person moved the cursor among the stages."""
        self.curves_stale = True
        """Whether the curves are others than those that are shown."""
        self.training_watchers: dict[str, RunWatcher] = {}
        """Run whose training was cached → the run that did it."""

    def arrive(self) -> None:
        """Another run, maybe."""
        found = self.state.get_run_id()
        if not found:
            self.show_head(lambda room: [(("no runs yet: start one with `factory build SPEC`", "dim"),)])
            return
        if self.watcher is None or self.watcher.path.parent.name != found:
            self.watcher = self.state.get_watcher(found)
            self.replay, self.cursor_moved = Replay(), False
            self.tail = log.LogTail(self.watcher.path.with_name("worker.log"))
            self.usage = None
        self.watcher.poll()
        self.tail.poll() if self.tail else None
        self.finished_stages = -1
        self.fill()
        self._show_data()

    def tick(self) -> None:
        """Take in what was written, and what passed of a replay."""
        if self.watcher is None:
            return
        new = self.watcher.poll()
        said = self.tail is not None and self.tail.poll()
        played = self.replay.advance(self.state.clock(), self.watcher.time_range)
        going = self.watcher.view.end is None
        if self.factory.tick_count % 20 == 1 and going and self.watcher.view.state == RUNNING:
            self.run_worker(self._measure_usage, thread=True, group="usage", exclusive=True)
            self.factory.estimate_remaining_times()
        if new or said or played or (going and self.factory.tick_count % 10 == 0) or self.watcher.follower.idle == 3:
            self.fill()
        # A tick may come while the children are not mounted yet, or are being removed: a later one draws.
        if self.curves_stale and self.factory.tick_count % CURVE_TICKS == 0 and self.query("#curve"):
            self.curves_stale = False
            self._show_curves(self.moment)

    def _measure_usage(self) -> None:
        pid = self.watcher.view.pid if self.watcher else 0
        self.usage = measure_process_usage(pid)

    def estimates_changed(self) -> None:
        """CurveStyle long it will take is known."""
        self.fill()

    @property
    def moment(self) -> float | None:
        """The moment of the past that is shown; None for now."""
        return self.replay.moment

    def get_view(self) -> RunView:
        """The run at the moment that is shown."""
        assert self.watcher is not None
        return self.watcher.get_view() if self.moment is None else self.watcher.view_at(self.moment)

    def fill(self) -> None:
        """All panels but the data, which changes when a stage ends, and the curves, which `tick` draws."""
        if self.watcher is None:
            return
        view, at = self.get_view(), self.moment
        now = at if at is not None else self.state.clock()
        self.show_head(lambda room: self._render_head(view, now, room))
        self.listing("stages").set_content(run.build_stages_table(view, now))
        self._follow_running_stage(view)
        self.curves_stale = True
        notes = [note for note in self.watcher.notes if at is None or note[0] <= at]
        said = self.tail.lines if self.tail and at is None else []
        self.pages("log").set_content(lambda room: log.render_page(notes, said, room))
        self._show_stage()
        done = sum(stage.state in ("done", "cached") for stage in view.stages.values())
        if done != self.finished_stages:
            self.finished_stages = done
            self._show_data()

    def _follow_running_stage(self, view: RunView) -> None:
        """The cursor goes with the stage that runs, until a person moves it."""
        running = next((stage.name for stage in view.stages.values() if stage.state in (RUNNING, FAILED)), "")
        if running and not self.cursor_moved:
            self.listing("stages").go_to(running)

    def _render_head(self, view: RunView, now: float, room: int) -> list[Line]:
        assert self.watcher is not None
        past = self.moment is not None
        finish = None if past else self.state.remaining_times.get(view.id)
        used = self.usage if not past and view.end is None else None
        head = run.render_heading(self.watcher, view, now, finish, past)
        if past:
            head[1:2] = [self.replay.render(self.watcher.time_range, room)]
        graph = run.render_flow(view, room) if choose_layout(*self.app.size) == LARGE else []
        return [
            *head,
            *run.render_failures(view, room),
            *run.render_measurements(self.watcher, view, used, self.moment, room),
            *graph,
        ]

    def _get_training_watcher(self) -> RunWatcher | None:
        """Whose curves are shown: this run's, or those of the one that trained what this one found in the store."""
        stage = self.watcher.view.stages.get("train") if self.watcher else None
        if self.watcher is None or stage is None or stage.state != CACHED:
            return self.watcher
        if self.watcher.path.parent.name not in self.training_watchers:
            made = self.state.get_run_outputs(self.watcher.path.parent.name).read_stage_meta("train")
            maker = str(made.get("made_by", made.get("run", "")))
            held = self.state.get_watcher(maker) if maker else self.watcher
            self.training_watchers[self.watcher.path.parent.name] = held.read_all()
        return self.training_watchers[self.watcher.path.parent.name]

    def _show_curves(self, at: float | None) -> None:
        source = self._get_training_watcher()
        assert self.watcher is not None and source is not None
        at = at if source is self.watcher else None
        names = source.list_metrics()
        name = self.metric if self.metric in names or not names else names[0]
        curves = {self.watcher.view.name or self.watcher.view.id: source.get_curve(name, at=at)}
        if self.overlaid:
            others = sorted(self.state.marked_runs - {self.watcher.view.id})
            held = {run_id: self.state.get_watcher(run_id).read_all() for run_id in others}
            curves = {self.watcher.view.id[4:15]: next(iter(curves.values()))}
            curves |= {run_id[4:15]: other.get_curve(name) for run_id, other in held.items()}
        panel = self.query_one("#curve", Curves)
        smooth = f", smoothed {self.how.smooth:g}" if self.how.smooth else ""
        smooth += "" if source is self.watcher else f", of run {source.view.id[:15]}"
        panel.border_title = escape(f"{name.replace('_', ' ').capitalize()}{' (log)' if self.how.log else ''}{smooth}")
        panel.set_content(curves, self.how)

    def _show_data(self) -> None:
        """What became of the rows."""
        evidence = self.state.get_run_outputs(self.state.get_run_id())
        self.listing("funnel").set_content(data.build_funnel_table(evidence))
        self.listing("preflight").set_content(data.build_preflight_table(evidence))
        self._show_findings()

    @on(Listing.Moved, "#preflight")
    def _show_findings(self) -> None:
        current, evidence = self.listing("preflight").current, self.state.get_run_outputs(self.state.get_run_id())
        self.pages("findings").set_content(
            lambda room: (data.render_findings(evidence, current.key, room)
                if current else data.render_dropped_rows(evidence, room)))

    @on(Listing.Moved, "#stages")
    def _handle_stage_move(self, event: Listing.Moved) -> None:
        self.cursor_moved = self.cursor_moved or event.by_hand
        self._show_stage()

    def _show_stage(self) -> None:
        current = self.listing("stages").current
        if self.watcher is not None and current is not None:
            view = self.get_view()
            self.pages("detail").set_content(lambda room: run.render_stage(view, current.key, room))

    @on(Listing.Chosen, "#stages")
    def _handle_stage_chosen(self) -> None:
        self.deck.turn("detail")

    @on(Listing.Chosen, "#preflight")
    def _handle_check_chosen(self) -> None:
        self.deck.turn("findings")

    def action_scrub(self, by: float) -> None:
        """Through the past, by a share of its length."""
        if self.watcher is not None:
            self.replay.seek(by, self.watcher.time_range)
            self.fill()

    def action_play(self) -> None:
        """Play the past from where it is, or from the beginning; or stop."""
        if self.watcher is not None:
            self.replay.toggle(self.state.clock(), self.watcher.time_range)
            self.fill()

    def action_speed(self, factor: float) -> None:
        """Faster or slower."""
        self.replay.speed = min(4096.0, max(0.25, self.replay.speed * factor))
        self.fill()

    def action_live(self) -> None:
        """Out of the past."""
        self.replay = Replay(speed=self.replay.speed)
        self.fill()

    def action_measure(self) -> None:
        """The next thing that was measured."""
        names = self.watcher.list_metrics() if self.watcher else []
        if names:
            here = names.index(self.metric) if self.metric in names else -1
            self.metric = names[(here + 1) % len(names)]
            self.fill()

    def action_log_scale(self) -> None:
        """Logarithmic or not."""
        self.how = CurveStyle(self.how.smooth, not self.how.log)
        self.fill()

    def action_smooth(self) -> None:
        """The next weight of the past."""
        here = SMOOTHING.index(self.how.smooth)
        self.how = CurveStyle(SMOOTHING[(here + 1) % len(SMOOTHING)], self.how.log)
        self.fill()

    def action_overlay(self) -> None:
        """The marked runs too."""
        if not self.state.marked_runs:
            self.notify("mark runs on Runs (1) with space, then overlay them here")
            return
        self.overlaid = not self.overlaid
        self.fill()
