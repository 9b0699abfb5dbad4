"""What all screens have in common: the bar of screens, panels that share the room, a line of hints, search, export."""

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

from factory.tui.broken import BROKEN, unreadable
from factory.tui.keys import COMMON, Key, bindings
from factory.tui.lines import wrapped
from factory.tui.widgets.bars import Bar, Hints, Tabs
from factory.tui.widgets.listing import Listing
from factory.tui.widgets.pages import Pages, Source
from factory.tui.widgets.panel import LARGE, MEDIUM, SMALL, Arrangement, Deck, size_of

if TYPE_CHECKING:
    from factory.tui.app import FactoryApp
    from factory.tui.world import World

MOST = 6
"""Lines that the head of a screen takes at most."""


def guarded(fill: Callable[[Any], None]) -> Callable[[Any], None]:
    """A `fill` that says what it could not show."""

    @wraps(fill)
    def filled(page: Page) -> None:
        try:
            fill(page)
        except BROKEN as error:
            said = unreadable(error)
            page.headed(lambda room: wrapped(said, room, "warn", "! "))

    return filled


class Page(Screen[None]):
    """One screen. Subclasses give panels, arrangements, keys, and `fill`."""

    KEYS: ClassVar[tuple[Key, ...]] = ()
    ABOUT: ClassVar[str] = ""
    """What the screen is for, in a sentence or two; the first thing that help says."""
    ARRANGEMENTS: ClassVar[Mapping[str, Arrangement]] = {SMALL: (), MEDIUM: (), LARGE: ()}
    AUTO_FOCUS = ""
    BINDINGS: ClassVar[list[BindingType]] = bindings(COMMON)

    def __init_subclass__(cls, **settings: Any) -> None:
        """What builds left may be of a newer factory, torn or gone: `fill` never ends in a traceback."""
        super().__init_subclass__(**settings)
        if "fill" in cls.__dict__:
            setattr(cls, "fill", guarded(cls.fill))  # noqa: B010  (an assignment would change the type of a method)

    def compose(self) -> ComposeResult:
        """Top to bottom."""
        yield Bar()
        head = Pages("head", "")
        head.can_focus = False
        yield head
        yield Tabs()
        yield from self.above()
        yield Deck(*self.panels(), arrangements=self.ARRANGEMENTS)
        yield Input(id="search", compact=True, classes="hidden")
        yield Hints()

    def panels(self) -> Sequence[Widget]:
        """The panels in the order of Tab."""
        return ()

    def above(self) -> Sequence[Widget]:
        """What stands over the panels, in every layout."""
        return ()

    @property
    def factory(self) -> FactoryApp:
        """The app, by its own type."""
        return cast("FactoryApp", self.app)

    @property
    def world(self) -> World:
        """What all screens share."""
        return self.factory.world

    @property
    def deck(self) -> Deck:
        """The panels."""
        return self.query_one(Deck)

    @property
    def small(self) -> bool:
        """Whether this is the layout for small terminals."""
        return size_of(*self.app.size) == SMALL

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
        """Shown again: what is told may have changed, and the colours too."""
        self.arrive()
        self.query_one(Bar).refresh()

    def arrive(self) -> None:
        """Shown, or asked to show something else."""
        self.fill()

    def fill(self) -> None:
        """Tell the panels anew, from the read model."""

    def tick(self) -> None:
        """Ten times a second while shown: take in what is new."""

    told: Source | None = None
    """What the head says, for any width."""

    def on_resize(self) -> None:
        """Another width: the head is broken anew, and may take more rows."""
        if self.told is not None:
            self.headed(self.told)

    def index_changed(self) -> None:
        """Runs came, went or moved on."""

    def looked_ahead(self) -> None:
        """When runs will be done is known anew."""

    def headed(self, source: Source) -> None:
        """Show the lines above the panels, in as many rows as they need."""
        self.told = source
        head = self.query_one("#head", Pages)
        room = self.app.size.width - 2
        lines = list(source(max(20, room)))[: max(1, min(MOST, self.app.size.height // 5))]
        head.styles.height = max(1, len(lines))
        head.display = bool(lines)
        head.tell(lambda _: lines)

    def on_deck_turned(self) -> None:
        """Other panels are to be seen: their names stand above them where not all are."""
        self.query_one(Tabs).again()
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
    def _typed(self, event: Input.Changed) -> None:
        if not event.input.has_class("hidden"):
            self.look_for(event.value)

    def look_for(self, text: str) -> None:
        """Filter or search as one types."""
        panel = self.active()
        if isinstance(panel, Listing):
            panel.narrow(text)
        elif isinstance(panel, Pages):
            panel.search(text)

    @on(Input.Submitted, "#search")
    def _kept(self) -> None:
        self._close_search()

    def _close_search(self) -> None:
        self.query_one("#search", Input).add_class("hidden")
        self.active().focus()

    def action_back(self) -> None:
        """Clear the filter; without one, back to the list of runs."""
        panel = self.active()
        words = panel.words if isinstance(panel, Listing) else panel.word if isinstance(panel, Pages) else ""
        if not self.query_one("#search", Input).has_class("hidden") or words:
            self.look_for("")
            self._close_search()
        else:
            self.factory.action_page("runs")

    def table(self) -> Listing | None:
        """The table that an export writes: the active one, else the first."""
        panel = self.active()
        return panel if isinstance(panel, Listing) else next(iter(self.query(Listing)), None)
