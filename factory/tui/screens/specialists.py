"""Specialists: versions, aliases, what each is made of, and whether it is what was built."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.binding import BindingType
from textual.widget import Widget

from factory.bundle.manifest import verify_bundle
from factory.runs import specialists
from factory.tui.keys import Key, make_bindings
from factory.tui.read_errors import READ_ERRORS
from factory.tui.rich_text import make_line
from factory.tui.screens.base import Page
from factory.tui.screens.help import AskScreen
from factory.tui.specialist_list import SpecialistEntry, list_specialists
from factory.tui.views import specialists_view as view
from factory.tui.widgets.listing import Listing
from factory.tui.widgets.pages import Pages
from factory.tui.widgets.panel import ACTIVE, LARGE, MEDIUM, SMALL, Block, Slot

KEYS = (
    Key("enter", "open", "its verdict", "verdict"),
    Key("v", "verify", "check that every file of the bundle is as it was built", "verify"),
    Key("t", "try_it", "ask it something", "try"),
    Key("a", "alias", "give it an alias, such as production", "alias"),
    Key("r", "report", "write the HTML report and open it", "report"),
    Key("c", "compare", "compare with the version before", "compare"),
)
ABOUT = (
    "Every version of every specialist: a version is a distinct bundle. `shipped` is the newest that may ship, "
    "`latest` the newest there is; `factory try NAME@shipped` and all other commands take these words."
)


class SpecialistsPage(Page):
    """The shelf."""

    KEYS = KEYS
    ABOUT = ABOUT
    BINDINGS: ClassVar[list[BindingType]] = make_bindings(KEYS[1:])
    ARRANGEMENTS: ClassVar = {
        SMALL: (Block((Slot(ACTIVE),)),),
        MEDIUM: (Block((Slot("shelf", 1.0), Slot("lineage", 1.0))),),
        LARGE: (Block((Slot("shelf", 1.4), Slot("lineage", 1.0))),),
    }

    def __init__(self) -> None:
        super().__init__()
        self.entries: list[SpecialistEntry] = []
        self.problems: dict[str, list[str]] = {}

    def panels(self) -> Sequence[Widget]:
        """The list, and what the one under the cursor is made of."""
        return Listing("shelf", "Specialists"), Pages("lineage", "Made of")

    def fill(self) -> None:
        """From the index and the bundles."""
        self.entries = list_specialists(self.state.home, self.state.index)
        said = {
            name: "✓ as built" if not found else f"✗ {len(found)} problems" for name, found in self.problems.items()
        }
        names = len({one.version.name for one in self.entries})
        self.show_head(
            lambda room: [
                make_line(f"{_format_count(names, 'specialist')}, {_format_count(len(self.entries), 'version')}")
            ]
        )
        self.listing("shelf").set_content(
            view.build_specialists_table(self.entries, self.state.index, self.state.clock(), said)
        )
        self._show_lineage()

    def index_changed(self) -> None:
        """A run may have brought a version."""
        self.fill()

    def current(self) -> SpecialistEntry | None:
        """The version under the cursor."""
        chosen = self.listing("shelf").current
        return next((one for one in self.entries if chosen and one.label == chosen.key), None)

    @on(Listing.Moved)
    def _handle_move(self, event: Listing.Moved) -> None:
        one = self.current()
        if event.by_hand and one is not None:
            self.state.selected_run = one.version.run
        self._show_lineage()

    def _show_lineage(self) -> None:
        one = self.current()
        if one is None:
            self.pages("lineage").set_content(lambda room: [])
            return
        found, evidence = self.problems.get(one.label), self.state.get_run_outputs(one.version.run)
        self.pages("lineage").set_content(lambda room: view.render_lineage(one, evidence, found, room))

    @on(Listing.Chosen)
    def _handle_chosen(self) -> None:
        one = self.current()
        if one is not None:
            self.factory.open_run(one.version.run, "verdict")

    def action_verify(self) -> None:
        """In a thread: every byte is read."""
        one = self.current()
        if one is not None:
            self.notify(f"reading every file of {one.label} …", timeout=2)
            self.run_worker(lambda: self._verify(one), thread=True, group="verify")

    def _verify(self, one: SpecialistEntry) -> None:
        try:
            found = verify_bundle(one.version.bundle)
        except READ_ERRORS as error:
            found = [str(error)]

        def tell() -> None:
            self.problems[one.label] = found
            self.fill()

        self.app.call_from_thread(tell)

    def action_try_it(self) -> None:
        """Ask it."""
        one = self.current()
        if one is not None:
            self.state.to_try = [one.label]
            self.factory.action_page("try")

    def action_alias(self) -> None:
        """Ask for a word, and call it by that."""
        one = self.current()
        if one is None:
            return

        def handle_answer(word: str | None) -> None:
            if word:
                try:
                    specialists.assign_alias(self.state.home, one.label, word.strip())
                except READ_ERRORS as error:
                    self.notify(str(error), severity="error")
                self.fill()

        self.app.push_screen(
            AskScreen(f"Call {one.label} by which alias? The alias moves from any other version."), handle_answer
        )

    def action_report(self) -> None:
        """The HTML report of its run."""
        one = self.current()
        if one is not None:
            self.factory.write_report(one.version.run)

    def action_compare(self) -> None:
        """With the version before it."""
        one = self.current()
        older = [
            k
            for k in self.entries
            if one and k.version.name == one.version.name and k.version.number < one.version.number
        ]
        if one is not None:
            self.state.compared = [one.version.run, older[0].version.run] if older else [one.version.run]
            self.factory.action_page("compare")


def _format_count(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
