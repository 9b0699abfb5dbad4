"""The Run screen: stages, curves, log and data of one run, live or replayed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from textual import on
from textual.markup import escape
from textual.widget import Widget

from factory.plan.step_names import find_last_training
from factory.runs.profile import read_funnel
from factory.runs.run_view import CACHED, DONE, FAILED, RUNNING, RunView
from factory.tui.estimates import ProcessUsage, measure_process_usage
from factory.tui.follow import TORN_AFTER
from factory.tui.keys import Key
from factory.tui.replay import Replay
from factory.tui.rich_text import Line
from factory.tui.run_watcher import RunWatcher
from factory.tui.screens.base import NO_RUNS, Page
from factory.tui.views import data, log, run
from factory.tui.widgets.curves import SMOOTHING, Curves, CurveStyle
from factory.tui.widgets.listing import Listing
from factory.tui.widgets.pages import Pages
from factory.tui.widgets.panel import ACTIVE, LARGE, MEDIUM, SMALL, Block, Slot, choose_layout
from factory.views.curves import build_metric_curve
from factory.views.data import build_funnel_table, build_preflight_table, describe_leakage

CURVE_TICKS = 3
"""Ticks between two drawings of the curves, as each takes longer than a key press may be delayed."""


class RunPage(Page):
    """Show one run as it is now, or as it was at a moment of its past."""

    KEYS = (
        Key("left,comma", "scrub(-0.01)", "replay the run: go back by 1 %", "past"),
        Key("right,full_stop", "scrub(0.01)", "go forward by 1 %"),
        Key("less_than_sign,shift+left", "scrub(-0.1)", "go back by 10 %"),
        Key("greater_than_sign,shift+right", "scrub(0.1)", "go forward by 10 %"),
        Key("space", "play", "play or pause the replay", "play"),
        Key("left_square_bracket", "speed(0.5)", "replay at half the speed"),
        Key("right_square_bracket", "speed(2)", "replay at twice the speed"),
        Key("L", "live", "leave the replay and show the live state", "live"),
        Key("m", "next_metric", "show the next metric", "metric"),
        Key("l", "log_scale", "switch between a linear and a logarithmic scale", "log"),
        Key("w", "smooth", "change the smoothing of the curves", "smooth"),
        Key("o", "overlay", "overlay the curves of the marked runs, or remove them", "overlay"),
        Key("v", "app.page('verdict')", "show the verdict of this run", "verdict"),
    )
    ABOUT = (
        "One run. Stages are in the order of the plan; a line on the left joins those that can run in parallel. Enter "
        "on a stage shows why it ran and what it cost. ← and → move through the past of the run, space plays it."
    )
    ARRANGEMENTS: ClassVar = {
        SMALL: (Block((Slot(ACTIVE),)),),
        MEDIUM: (Block((Slot("stages", 1.0), Slot(ACTIVE, 1.0))),),
        LARGE: (
            Block((Slot("stages", 1.3), Slot("detail", 1.0)), 1.0),
            Block((Slot("curve", 1.2), Slot("log", 1.0)), 1.1),
            Block((Slot("funnel", 1.0), Slot("preflight", 1.0), Slot("findings", 0.8)), 1.0),
        ),
    }

    def compose_panels(self) -> Sequence[Widget]:
        return (
            Listing("stages", "Stages"), Curves("curve", "Loss"), Pages("log", "Log", follow=True),
            Listing("funnel", "Data"), Listing("preflight", "Preflight"), Pages("findings", "Rows"),
            Pages("detail", "Stage"),
        )

    def __init__(self) -> None:
        super().__init__()
        self.watcher: RunWatcher | None = None
        self.log_tail: log.LogTail | None = None
        self.replay = Replay()
        self.curve_style = CurveStyle()
        self.metric = "loss"
        self.overlaid = False
        self.usage: ProcessUsage | None = None
        self.finished_stages = -1
        self.cursor_moved = False
        """Whether the user moved the cursor of the stages; until then it follows the running stage."""
        self.curves_stale = True
        """Whether the curves have to be drawn again."""
        self.training_watchers: dict[str, RunWatcher] = {}
        """Run whose training was cached → watcher of the run that trained."""

    def arrive(self) -> None:
        """Show the selected run; another one than before starts live."""
        run_id = self.state.get_run_id()
        if not run_id:
            self.show_message(NO_RUNS)
            return
        if self.watcher is None or self.log_tail is None or self.watcher.path.parent.name != run_id:
            self.watcher = self.state.get_watcher(run_id)
            self.log_tail = log.LogTail(self.watcher.path.with_name("worker.log"))
            self.replay, self.cursor_moved, self.usage = Replay(), False, None
        self.watcher.poll()
        self.log_tail.poll()
        self.fill()
        self._show_data()

    def tick(self) -> None:
        """Show new events and log lines, and advance a replay."""
        if self.watcher is None:
            return
        ticks, is_active = self.factory.tick_count, self.watcher.view.end is None
        changed = self.watcher.poll()
        changed |= self.log_tail is not None and self.log_tail.poll()
        changed |= self.replay.advance(self.state.clock(), self.watcher.time_range)
        if ticks % 20 == 1 and is_active and self.watcher.view.state == RUNNING:
            self.run_worker(self._measure_usage, thread=True, group="usage", exclusive=True)
            self.factory.estimate_remaining_times()
        if changed or (is_active and ticks % 10 == 0) or self.watcher.follower.idle == TORN_AFTER:
            self.fill()
        # A tick may come while the children are not mounted yet, or are being removed: a later one draws.
        if self.curves_stale and ticks % CURVE_TICKS == 0 and self.query("#curve"):
            self.curves_stale = False
            self._show_curves()

    def _measure_usage(self) -> None:
        self.usage = measure_process_usage(self.watcher.view.pid if self.watcher else 0)

    def estimates_changed(self) -> None:
        self.fill()

    def get_view(self) -> RunView:
        """Return the run at the moment that is shown."""
        assert self.watcher is not None
        return self.watcher.get_view() if self.replay.moment is None else self.watcher.get_view_at(self.replay.moment)

    def fill(self) -> None:
        """Fill all panels but the curves, which `tick` draws; the data only when a stage has ended."""
        if self.watcher is None:
            return
        view, moment = self.get_view(), self.replay.moment
        now = self.state.clock() if moment is None else moment
        self.show_head(lambda width: self._render_head(view, now, width))
        self.listing("stages").set_content(run.build_stages_table(view, now))
        current = next((stage.name for stage in view.stages.values() if stage.state in (RUNNING, FAILED)), "")
        if current and not self.cursor_moved:
            self.listing("stages").move_to_key(current)
        self.curves_stale = True
        notes = [note for note in self.watcher.notes if moment is None or note[0] <= moment]
        log_lines = self.log_tail.lines if self.log_tail and moment is None else []
        self.pages("log").set_content(lambda width: log.render_page(notes, log_lines, width))
        self._show_stage()
        finished = sum(stage.state in (DONE, CACHED) for stage in view.stages.values())
        if finished != self.finished_stages:
            self.finished_stages = finished
            self._show_data()

    def _render_head(self, view: RunView, now: float, width: int) -> list[Line]:
        assert self.watcher is not None
        moment = self.replay.moment
        remaining = self.state.remaining_times.get(view.id) if moment is None else None
        usage = self.usage if moment is None and view.end is None else None
        lines = run.render_heading(self.watcher, view, now, remaining, moment is not None)
        if moment is not None:
            lines[1:2] = [self.replay.render(self.watcher.time_range, width)]
        lines += run.render_failures(view, width)
        lines += run.render_measurements(self.watcher, view, usage, moment, width)
        return [*lines, *(run.render_flow(view, width) if choose_layout(*self.app.size) == LARGE else ())]

    def _get_training_watcher(self) -> RunWatcher | None:
        """Return the watcher whose curves are shown: of the run that trained, when this one's training was cached."""
        watcher = self.watcher
        training = find_last_training(watcher.view.stages if watcher else ())
        stage = watcher.view.stages.get(training) if watcher else None
        if watcher is None or stage is None or stage.state != CACHED:
            return watcher
        run_id = watcher.path.parent.name
        if run_id not in self.training_watchers:
            meta = self.state.get_run_outputs(run_id).read_stage_meta(training)
            trained_by = str(meta.get("made_by", meta.get("run", "")))
            self.training_watchers[run_id] = (self.state.get_watcher(trained_by) if trained_by else watcher).read_all()
        return self.training_watchers[run_id]

    def _show_curves(self) -> None:
        source, style = self._get_training_watcher(), self.curve_style
        assert self.watcher is not None and source is not None
        view, is_own = self.watcher.view, source is self.watcher
        names = source.list_metrics()
        name = self.metric if self.metric in names or not names else names[0]
        points = source.get_curve(name, at=self.replay.moment if is_own else None)
        # Runs of one specialist differ by date and time, characters 4 to 15 of their ids.
        curves = [build_metric_curve(name, points, view.id[4:15])]
        for run_id in sorted(self.state.marked_runs - {view.id}) if self.overlaid else ():
            other = self.state.get_watcher(run_id).read_all().get_curve(name)
            curves.append(build_metric_curve(name, other, run_id[4:15]))
        title = f"{curves[0].y_title.capitalize()}{' (log)' if style.log else ''}"
        title += f", smoothed {style.smooth:g}" if style.smooth else ""
        title += "" if is_own else f", of run {source.view.id[:15]}"
        panel = self.query_one("#curve", Curves)
        panel.border_title = escape(title)
        panel.set_content(curves, style)

    def _show_data(self) -> None:
        outputs = self.state.get_run_outputs(self.state.get_run_id())
        proof = describe_leakage(outputs.read_stage_json("curate").get("leakage")).text
        self.listing("funnel").border_title = f"Data: {proof}" if proof else "Data"
        self.listing("funnel").set_content(build_funnel_table(read_funnel(outputs)))
        self.listing("preflight").set_content(build_preflight_table(outputs.read_stage_json("preflight")))
        self._show_findings()

    @on(Listing.Moved, "#preflight")
    def _show_findings(self) -> None:
        check, outputs = self.listing("preflight").current, self.state.get_run_outputs(self.state.get_run_id())

        def render(width: int) -> Sequence[Line]:
            if check is None:
                return data.render_dropped_rows(outputs, width)
            return data.render_findings(outputs, check.key, width)

        self.pages("findings").set_content(render)

    @on(Listing.Moved, "#stages")
    def _handle_stage_move(self, event: Listing.Moved) -> None:
        self.cursor_moved = self.cursor_moved or event.by_hand
        self._show_stage()

    def _show_stage(self) -> None:
        stage = self.listing("stages").current
        if self.watcher is not None and stage is not None:
            view = self.get_view()
            self.pages("detail").set_content(lambda width: run.render_stage(view, stage.key, width))

    @on(Listing.Chosen, "#stages")
    def _handle_stage_chosen(self) -> None:
        self.deck.turn("detail")

    @on(Listing.Chosen, "#preflight")
    def _handle_check_chosen(self) -> None:
        self.deck.turn("findings")

    def action_scrub(self, by: float) -> None:
        """Move by a share of the run's duration."""
        if self.watcher is not None:
            self.replay.seek(by, self.watcher.time_range)
            self.fill()

    def action_play(self) -> None:
        if self.watcher is not None:
            self.replay.toggle(self.state.clock(), self.watcher.time_range)
            self.fill()

    def action_speed(self, factor: float) -> None:
        self.replay.speed = min(4096.0, max(0.25, self.replay.speed * factor))
        self.fill()

    def action_live(self) -> None:
        """Leave the replay."""
        self.replay = Replay(speed=self.replay.speed)
        self.fill()

    def action_next_metric(self) -> None:
        names = self.watcher.list_metrics() if self.watcher else []
        if names:
            index = names.index(self.metric) if self.metric in names else -1
            self.metric = names[(index + 1) % len(names)]
            self.fill()

    def action_log_scale(self) -> None:
        self.curve_style = replace(self.curve_style, log=not self.curve_style.log)
        self.fill()

    def action_smooth(self) -> None:
        index = SMOOTHING.index(self.curve_style.smooth)
        self.curve_style = replace(self.curve_style, smooth=SMOOTHING[(index + 1) % len(SMOOTHING)])
        self.fill()

    def action_overlay(self) -> None:
        if not self.state.marked_runs:
            self.notify("no run is marked: mark runs on Runs (1) with space")
            return
        self.overlaid = not self.overlaid
        self.fill()
