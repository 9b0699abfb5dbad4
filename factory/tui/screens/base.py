"""What all screens have in common: the bar of screens, panels that share the room, a line of hints, search, export."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import wraps
from typing import Any, ClassVar, Protocol, cast

from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Input

from factory.tui.keys import COMMON_KEYS, Key, make_bindings
from factory.tui.read_errors import READ_ERRORS, describe_read_error
from factory.tui.rich_text import wrap_text
from factory.tui.state import AppState
from factory.tui.widgets.bars import Bar, Hints, Tabs
from factory.tui.widgets.listing import Listing
from factory.tui.widgets.pages import Pages, Source
from factory.tui.widgets.panel import LARGE, MEDIUM, SMALL, Arrangement, Deck, choose_layout

MAX_HEAD_LINES = 6
"""Maximum lines of the head."""


class AppActions(Protocol):
    """What screens use of the app: a screen may not import `factory.tui.app`, which imports the screens."""

    state: AppState
    tick_count: int
    refresh_steps: Iterator[bool] | None

    def action_page(self, name: str) -> None: ...

    def open_run(self, run: str, page: str = "run") -> None: ...

    def write_report(self, run: str) -> None: ...

    def estimate_remaining_times(self) -> None: ...


def report_read_errors(fill: Callable[[Any], None]) -> Callable[[Any], None]:
    """Wrap `fill` so that read errors are shown in the head instead of ending the app."""

    @wraps(fill)
    def fill_safely(page: Page) -> None:
        try:
            fill(page)
        except READ_ERRORS as error:
            said = describe_read_error(error)
            page.show_head(lambda room: wrap_text(said, room, "warn", "! "))

    return fill_safely


class Page(Screen[None]):
    """One screen. Subclasses give panels, arrangements, keys, and `fill`."""

    KEYS: ClassVar[tuple[Key, ...]] = ()
    ABOUT: ClassVar[str] = ""
    """What the screen is for, in a sentence or two; the first thing that help says."""
    ARRANGEMENTS: ClassVar[Mapping[str, Arrangement]] = {SMALL: (), MEDIUM: (), LARGE: ()}
    AUTO_FOCUS = ""
    BINDINGS: ClassVar[list[BindingType]] = make_bindings(COMMON_KEYS)

    def __init_subclass__(cls, **settings: Any) -> None:
        """Guard `fill`: files of a run may be newer than this version, torn or gone."""
        super().__init_subclass__(**settings)
        if "fill" in cls.__dict__:
            setattr(cls, "fill", report_read_errors(cls.fill))  # noqa: B010  (an assignment would change the type of a method)

    def compose(self) -> ComposeResult:
        """Yield the widgets from top to bottom."""
        yield Bar(self.state.home)
        head = Pages("head", "")
        head.can_focus = False
        yield head
        yield Tabs()
        yield from self.above()
        yield Deck(*self.panels(), arrangements=self.ARRANGEMENTS)
        yield Input(id="search", compact=True, classes="hidden")
        yield Hints(self.KEYS)

    def panels(self) -> Sequence[Widget]:
        """Return the panels in Tab order."""
        return ()

    def above(self) -> Sequence[Widget]:
        """Return the widgets above the panels, the same in every layout."""
        return ()

    @property
    def factory(self) -> AppActions:
        """The app, as far as screens use it."""
        return cast("AppActions", self.app)

    @property
    def state(self) -> AppState:
        """What all screens share."""
        return self.factory.state

    @property
    def deck(self) -> Deck:
        """The panels."""
        return self.query_one(Deck)

    @property
    def small(self) -> bool:
        """Whether this is the layout for small terminals."""
        return choose_layout(*self.app.size) == SMALL

    def listing(self, name: str) -> Listing:
        """A table by its id."""
        return self.query_one(f"#{name}", Listing)

    def pages(self, name: str) -> Pages:
        """A text by its id."""
        return self.query_one(f"#{name}", Pages)

    def on_mount(self) -> None:
        """The active panel has the keys."""
        self.deck.turn(self.deck.active)

    def on_screen_resume(self) -> None:
        """Shown again: the data may have changed, and the colours too."""
        self.arrive()
        self.query_one(Bar).refresh()

    def arrive(self) -> None:
        """Called when the screen is shown or its selection changes."""
        self.fill()

    def fill(self) -> None:
        """Fill the panels from the read model."""

    def tick(self) -> None:
        """Take in new data; called ten times a second while shown."""

    head_source: Source | None = None
    """Source of the head's lines for any width."""

    def on_resize(self) -> None:
        """Rewrap the head for the new width."""
        if self.head_source is not None:
            self.show_head(self.head_source)

    def index_changed(self) -> None:
        """Called when runs were added, removed or changed."""

    def estimates_changed(self) -> None:
        """Called when the estimates of remaining time changed."""

    def show_head(self, source: Source) -> None:
        """Show the lines above the panels, in as many rows as they need."""
        self.head_source = source
        head = self.query_one("#head", Pages)
        room = self.app.size.width - 2
        lines = list(source(max(20, room)))[: max(1, min(MAX_HEAD_LINES, self.app.size.height // 5))]
        head.styles.height = max(1, len(lines))
        head.display = bool(lines)
        head.set_content(lambda _: lines)

    def on_deck_turned(self) -> None:
        """Other panels are to be seen: their names stand above them where not all are."""
        self.query_one(Tabs).update_visibility()
        self.query_one(Hints).refresh()

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """A click, or a key, went to a panel: it is the active one."""
        name = event.widget.id or ""
        if name in self.deck.panels and name != self.deck.active:
            self.deck.turn(name, focus=False)

    def action_panel(self, by: int) -> None:
        """The next panel."""
        self.deck.step(by)

    def action_turn(self, name: str) -> None:
        """A panel by its name."""
        self.deck.turn(name)

    def active(self) -> Widget:
        """The active panel."""
        return self.deck.get_child_by_id(self.deck.active)

    def action_search(self) -> None:
        """Ask what to filter or search by."""
        box, panel = self.query_one("#search", Input), self.active()
        if not isinstance(panel, Listing | Pages):
            return
        box.placeholder = (
            f"{'filter' if isinstance(panel, Listing) else 'search'} {panel.border_title}: enter keeps, esc clears"
        )
        box.value = panel.words if isinstance(panel, Listing) else panel.word
        box.remove_class("hidden")
        box.focus()

    @on(Input.Changed, "#search")
    def _handle_search_change(self, event: Input.Changed) -> None:
        if not event.input.has_class("hidden"):
            self.filter_or_search(event.value)

    def filter_or_search(self, text: str) -> None:
        """Filter the active table, or search the active text, while typing."""
        panel = self.active()
        if isinstance(panel, Listing):
            panel.narrow(text)
        elif isinstance(panel, Pages):
            panel.search(text)

    @on(Input.Submitted, "#search")
    def _handle_search_submit(self) -> None:
        self._close_search()

    def _close_search(self) -> None:
        self.query_one("#search", Input).add_class("hidden")
        self.active().focus()

    def action_back(self) -> None:
        """Clear the filter; without one, back to the list of runs."""
        panel = self.active()
        words = panel.words if isinstance(panel, Listing) else panel.word if isinstance(panel, Pages) else ""
        if not self.query_one("#search", Input).has_class("hidden") or words:
            self.filter_or_search("")
            self._close_search()
        else:
            self.factory.action_page("runs")

    def table(self) -> Listing | None:
        """The table that an export writes: the active one, else the first."""
        panel = self.active()
        return panel if isinstance(panel, Listing) else next(iter(self.query(Listing)), None)
