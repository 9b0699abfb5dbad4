"""Base class of the screens: the bar of screens, the head, the panels, the search box and the footer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any, ClassVar, cast

from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Input

from factory.errors import READ_ERRORS
from factory.tui.keys import COMMON_KEYS, Key, make_bindings
from factory.tui.rich_text import describe_read_error, wrap_text
from factory.tui.state import AppState
from factory.tui.widgets.bars import Bar, Hints, Tabs
from factory.tui.widgets.listing import Listing
from factory.tui.widgets.pages import Pages, Source
from factory.tui.widgets.panel import LARGE, MEDIUM, SMALL, Arrangement, Deck

if TYPE_CHECKING:
    from factory.tui.app import FactoryApp

MAX_HEAD_LINES = 6
WIDGET_ACTIONS = ("open", "ask", "search", "sort")
"""Actions of keys that a screen only lists: a table, an input or `Page` handles them."""
NO_RUNS = "no runs yet: start one with `factory build SPEC`"


def report_read_errors(fill: Callable[[Any], None]) -> Callable[[Any], None]:
    """Wrap `fill` so that read errors are shown in the head instead of ending the app."""

    @wraps(fill)
    def fill_safely(page: Page) -> None:
        try:
            fill(page)
        except READ_ERRORS as error:
            page.show_message(describe_read_error(error), "warn", "! ")

    return fill_safely


class Page(Screen[None]):
    """One screen. Subclasses define their panels, arrangements and keys, and `fill`."""

    KEYS: ClassVar[tuple[Key, ...]] = ()
    ABOUT: ClassVar[str] = ""
    """What the screen is for, in a few sentences; the help starts with it."""
    ARRANGEMENTS: ClassVar[Mapping[str, Arrangement]] = {SMALL: (), MEDIUM: (), LARGE: ()}
    HEAD_SHARE: ClassVar[float] = 0.2
    """Largest part of the screen's height that the lines above the panels take."""
    AUTO_FOCUS = ""
    BINDINGS: ClassVar[list[BindingType]] = make_bindings(COMMON_KEYS)

    def __init_subclass__(cls, **settings: Any) -> None:
        """Bind the keys of the screen, and guard its `fill` against read errors."""
        # Before the call to super, which collects the bindings.
        cls.BINDINGS = make_bindings([key for key in cls.KEYS if key.action not in WIDGET_ACTIONS])
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
        yield from self.compose_header()
        yield Deck(*self.compose_panels(), arrangements=self.ARRANGEMENTS)
        yield Input(id="search", compact=True, classes="hidden")
        yield Hints(self.KEYS)

    def compose_panels(self) -> Sequence[Widget]:
        """Return the panels in Tab order."""
        return ()

    def compose_header(self) -> Sequence[Widget]:
        """Return the widgets above the panels, the same in every layout."""
        return ()

    @property
    def factory(self) -> FactoryApp:
        """The app."""
        return cast("FactoryApp", self.app)

    @property
    def state(self) -> AppState:
        """The state that all screens share."""
        return self.factory.state

    @property
    def deck(self) -> Deck:
        """The panels."""
        return self.query_one(Deck)

    def listing(self, name: str) -> Listing:
        """Return a table by its id."""
        return self.query_one(f"#{name}", Listing)

    def pages(self, name: str) -> Pages:
        """Return a text panel by its id."""
        return self.query_one(f"#{name}", Pages)

    def on_mount(self) -> None:
        """Focus the active panel."""
        self.deck.turn(self.deck.active)

    def on_screen_resume(self) -> None:
        """Update the data and the colours, which may have changed while another screen was shown."""
        self.arrive()
        self.query_one(Bar).refresh()

    def arrive(self) -> None:
        """Called when the screen is shown or its selection changes."""
        self.fill()

    def fill(self) -> None:
        """Fill the panels from the read model. Read errors are shown in the head."""

    def tick(self) -> None:
        """Show new data. Called ten times a second while the screen is shown."""

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
        """Show the lines above the panels, at most `MAX_HEAD_LINES` and `HEAD_SHARE` of the screen."""
        self.head_source = source
        head = self.query_one("#head", Pages)
        width = self.app.size.width - 2
        lines = list(source(max(20, width)))[: max(1, min(MAX_HEAD_LINES, int(self.app.size.height * self.HEAD_SHARE)))]
        head.styles.height = max(1, len(lines))
        head.display = bool(lines)
        head.set_content(lambda _: lines)

    def show_message(self, text: str, tone: str = "dim", prefix: str = "") -> None:
        """Show one text in the head."""
        self.show_head(lambda width: wrap_text(text, width, tone, prefix))

    def on_deck_turned(self) -> None:
        """Update the line of panel names, which is hidden while all panels fit, and the footer."""
        self.query_one(Tabs).update_visibility()
        self.query_one(Hints).refresh()

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """Make a panel that got the focus the active one."""
        name = event.widget.id or ""
        if name in self.deck.panels and name != self.deck.active:
            self.deck.turn(name, focus=False)

    def action_panel(self, by: int) -> None:
        """Go to the next panel, or to the previous one."""
        self.deck.step(by)

    def action_turn(self, name: str) -> None:
        """Go to a panel by its id."""
        self.deck.turn(name)

    def get_active_panel(self) -> Widget:
        """Return the active panel."""
        return self.deck.get_child_by_id(self.deck.active)

    def action_search(self) -> None:
        """Open the box for the words to filter or search by."""
        box, panel = self.query_one("#search", Input), self.get_active_panel()
        if not isinstance(panel, Listing | Pages):
            return
        verb, text = ("filter", panel.filter_text) if isinstance(panel, Listing) else ("search", panel.search_text)
        box.placeholder, box.value = f"{verb} {panel.border_title} (enter: keep, esc: clear)", text
        box.remove_class("hidden")
        box.focus()

    @on(Input.Changed, "#search")
    def _handle_search_change(self, event: Input.Changed) -> None:
        if not event.input.has_class("hidden"):
            self.filter_or_search(event.value)

    def filter_or_search(self, text: str) -> None:
        """Filter the active table, or search the active text."""
        panel = self.get_active_panel()
        if isinstance(panel, Listing):
            panel.filter_rows(text)
        elif isinstance(panel, Pages):
            panel.search(text)

    @on(Input.Submitted, "#search")
    def _close_search(self) -> None:
        self.query_one("#search", Input).add_class("hidden")
        self.get_active_panel().focus()

    def action_back(self) -> None:
        """Clear the filter or search; without one, go back to the list of runs."""
        panel = self.get_active_panel()
        text = getattr(panel, "filter_text", "") or getattr(panel, "search_text", "")
        if text or not self.query_one("#search", Input).has_class("hidden"):
            self.filter_or_search("")
            self._close_search()
        else:
            self.factory.action_page("runs")

    def find_export_table(self) -> Listing | None:
        """Return the table to export: the active one, else the first."""
        panel = self.get_active_panel()
        return panel if isinstance(panel, Listing) else next(iter(self.query(Listing)), None)
