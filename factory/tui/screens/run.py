"""One run: its stages live, its curves, its log, its data; and any moment of its past."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.binding import BindingType
from textual.markup import escape
from textual.widget import Widget

from factory.runs.run_view import CACHED, FAILED, RUNNING, RunView
from factory.tui.estimates import Usage, usage
from factory.tui.keys import Key, bindings
from factory.tui.lines import Line
from factory.tui.replay import Replay
from factory.tui.screens.base import Page
from factory.tui.views import data, log, run
from factory.tui.watch import Watch
from factory.tui.widgets.curves import SMOOTHING, Curves, How
from factory.tui.widgets.listing import Listing
from factory.tui.widgets.pages import Pages
from factory.tui.widgets.panel import ACTIVE, LARGE, MEDIUM, SMALL, Block, Slot, size_of

KEYS = (
    Key("left,comma", "scrub(-0.01)", "back in the run's past", "past"),
    Key("right,full_stop", "scrub(0.01)", "forward again"),
    Key("less_than_sign,shift+left", "scrub(-0.1)", "far back"),
    Key("greater_than_sign,shift+right", "scrub(0.1)", "far forward"),
    Key("space", "play", "play the past, or stop", "play"),
    Key("left_square_bracket", "speed(0.5)", "play at half the speed"),
    Key("right_square_bracket", "speed(2)", "play at twice the speed"),
    Key("L", "live", "leave the past: show what is", "live"),
    Key("m", "measure", "the next thing that was measured", "measure"),
    Key("l", "log_scale", "logarithmic scale", "log"),
    Key("w", "smooth", "smooth curves more, or not at all", "smooth"),
    Key("o", "overlay", "draw the curves of the marked runs too", "overlay"),
    Key("v", "app.page('verdict')", "its verdict", "verdict"),
)
ABOUT = (
    "One run. The stages stand in the order of the plan; those with a rail stand beside each other. Enter on a "
    "stage says why it ran and what it took. ← and → go through the past of the run, space plays it."
)


DRAWN = 3
"""Beats between two drawings of curves: each takes longer than a key may."""


class RunPage(Page):
    """One run, live or past."""

    KEYS = KEYS
    ABOUT = ABOUT
    BINDINGS: ClassVar[list[BindingType]] = bindings(KEYS)
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
        self.held: Watch | None = None
        self.replay = Replay()
        self.how = How()
        self.name_shown = "loss"
        self.overlaid = False
        self.used: Usage | None = None
        self.tail: log.LogTail | None = None
        self.moved = -1
        self.pointed = False
        """Whether a person moved the cursor among the stages."""
        self.undrawn = True
        """Whether the curves are others than those that are shown."""
        self.makers: dict[str, Watch] = {}
        """Run whose training was cached → the run that did it."""

    def arrive(self) -> None:
        """Another run, maybe."""
        found = self.world.run()
        if not found:
            self.headed(lambda room: [(("there is no run yet; `factory build SPEC` makes one", "dim"),)])
            return
        if self.held is None or self.held.path.parent.name != found:
            self.held = self.world.watching(found)
            self.replay, self.pointed = Replay(), False
            self.tail = log.LogTail(self.held.path.with_name("worker.log"))
            self.used = None
        self.held.look()
        self.tail.look() if self.tail else None
        self.moved = -1
        self.fill()
        self._data()

    def tick(self) -> None:
        """Take in what was written, and what passed of a replay."""
        if self.held is None:
            return
        new = self.held.look()
        said = self.tail is not None and self.tail.look()
        played = self.replay.beat(self.world.clock(), self.held.bounds)
        going = self.held.run.end is None
        if self.factory.beats % 20 == 1 and going and self.held.run.state == RUNNING:
            self.run_worker(self._use, thread=True, group="usage", exclusive=True)
            self.factory.look_ahead()
        if new or said or played or (going and self.factory.beats % 10 == 0) or self.held.tail.idle == 3:
            self.fill()
        if self.undrawn and self.factory.beats % DRAWN == 0:
            self.undrawn = False
            self._curves(self.moment)

    def _use(self) -> None:
        pid = self.held.run.pid if self.held else 0
        self.used = usage(pid)

    def looked_ahead(self) -> None:
        """How long it will take is known."""
        self.fill()

    @property
    def moment(self) -> float | None:
        """The moment of the past that is shown; None for now."""
        return self.replay.at

    def view(self) -> RunView:
        """The run at the moment that is shown."""
        assert self.held is not None
        return self.held.settled() if self.moment is None else self.held.at(self.moment)

    def fill(self) -> None:
        """All panels but the data, which changes when a stage ends, and the curves, which `tick` draws."""
        if self.held is None:
            return
        view, at = self.view(), self.moment
        now = at if at is not None else self.world.clock()
        self.headed(lambda room: self._head(view, now, room))
        self.listing("stages").tell(run.stages(view, now))
        self._point(view)
        self.undrawn = True
        notes = [note for note in self.held.notes if at is None or note[0] <= at]
        said = self.tail.lines if self.tail and at is None else []
        self.pages("log").tell(lambda room: log.page(notes, said, room))
        self._detail()
        done = sum(stage.state in ("done", "cached") for stage in view.stages.values())
        if done != self.moved:
            self.moved = done
            self._data()

    def _point(self, view: RunView) -> None:
        """The cursor goes with the stage that runs, until a person moves it."""
        running = next((stage.name for stage in view.stages.values() if stage.state in (RUNNING, FAILED)), "")
        if running and not self.pointed:
            self.listing("stages").go_to(running)

    def _head(self, view: RunView, now: float, room: int) -> list[Line]:
        assert self.held is not None
        past = self.moment is not None
        finish = None if past else self.world.finishes.get(view.id)
        used = self.used if not past and view.end is None else None
        head = run.heading(self.held, view, now, finish, past)
        if past:
            head[1:2] = [self.replay.line(self.held.bounds, room)]
        graph = run.flow(view, room) if size_of(*self.app.size) == LARGE else []
        return [*head, *run.failures(view, room), *run.gauges(self.held, view, used, self.moment, room), *graph]

    def _trained(self) -> Watch | None:
        """Whose curves are shown: this run's, or those of the one that trained what this one found in the store."""
        stage = self.held.run.stages.get("train") if self.held else None
        if self.held is None or stage is None or stage.state != CACHED:
            return self.held
        if self.held.path.parent.name not in self.makers:
            made = self.world.evidence(self.held.path.parent.name).read_stage_meta("train")
            maker = str(made.get("made_by", made.get("run", "")))
            held = self.world.watching(maker) if maker else self.held
            self.makers[self.held.path.parent.name] = held.all()
        return self.makers[self.held.path.parent.name]

    def _curves(self, at: float | None) -> None:
        source = self._trained()
        assert self.held is not None and source is not None
        at = at if source is self.held else None
        names = source.names()
        name = self.name_shown if self.name_shown in names or not names else names[0]
        curves = {self.held.run.name or self.held.run.id: source.curve(name, at=at)}
        if self.overlaid:
            others = sorted(self.world.marked - {self.held.run.id})
            held = {run_id: self.world.watching(run_id).all() for run_id in others}
            curves = {self.held.run.id[4:15]: next(iter(curves.values()))}
            curves |= {run_id[4:15]: other.curve(name) for run_id, other in held.items()}
        panel = self.query_one("#curve", Curves)
        smooth = f", smoothed {self.how.smooth:g}" if self.how.smooth else ""
        smooth += "" if source is self.held else f", of run {source.run.id[:15]}"
        panel.border_title = escape(f"{name.replace('_', ' ').capitalize()}{' (log)' if self.how.log else ''}{smooth}")
        panel.tell(curves, self.how)

    def _data(self) -> None:
        """What became of the rows."""
        evidence = self.world.evidence(self.world.run())
        self.listing("funnel").tell(data.funnel(evidence))
        self.listing("preflight").tell(data.preflight(evidence))
        self._findings()

    @on(Listing.Moved, "#preflight")
    def _findings(self) -> None:
        current, evidence = self.listing("preflight").current, self.world.evidence(self.world.run())
        self.pages("findings").tell(
            lambda room: data.findings(evidence, current.key, room) if current else data.dropped(evidence, room)
        )

    @on(Listing.Moved, "#stages")
    def _moved(self, event: Listing.Moved) -> None:
        self.pointed = self.pointed or event.by_hand
        self._detail()

    def _detail(self) -> None:
        current = self.listing("stages").current
        if self.held is not None and current is not None:
            view = self.view()
            self.pages("detail").tell(lambda room: run.detail(view, current.key, room))

    @on(Listing.Chosen, "#stages")
    def _opened(self) -> None:
        self.deck.turn("detail")

    @on(Listing.Chosen, "#preflight")
    def _rows(self) -> None:
        self.deck.turn("findings")

    def action_scrub(self, by: float) -> None:
        """Through the past, by a share of its length."""
        if self.held is not None:
            self.replay.step(by, self.held.bounds)
            self.fill()

    def action_play(self) -> None:
        """Play the past from where it is, or from the beginning; or stop."""
        if self.held is not None:
            self.replay.toggle(self.world.clock(), self.held.bounds)
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
        names = self.held.names() if self.held else []
        if names:
            here = names.index(self.name_shown) if self.name_shown in names else -1
            self.name_shown = names[(here + 1) % len(names)]
            self.fill()

    def action_log_scale(self) -> None:
        """Logarithmic or not."""
        self.how = How(self.how.smooth, not self.how.log)
        self.fill()

    def action_smooth(self) -> None:
        """The next weight of the past."""
        here = SMOOTHING.index(self.how.smooth)
        self.how = How(SMOOTHING[(here + 1) % len(SMOOTHING)], self.how.log)
        self.fill()

    def action_overlay(self) -> None:
        """The marked runs too."""
        if not self.world.marked:
            self.notify("mark runs on Runs (1) with space, then overlay them here")
            return
        self.overlaid = not self.overlaid
        self.fill()
