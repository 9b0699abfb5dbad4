"""The Specialists screen: versions, their aliases and lineage, and the verification of their files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.widget import Widget

from factory.bundle.manifest import verify_bundle
from factory.errors import READ_ERRORS
from factory.runs.specialists import SpecialistEntry, assign_alias, list_specialists
from factory.tui.keys import Key
from factory.tui.screens.base import Page
from factory.tui.screens.help import AskScreen
from factory.tui.views.specialists_view import render_lineage
from factory.tui.widgets.listing import Listing
from factory.tui.widgets.pages import Pages
from factory.tui.widgets.panel import ACTIVE, LARGE, MEDIUM, SMALL, Block, Slot
from factory.views.elements import Text
from factory.views.formatting import format_count
from factory.views.specialists import build_lineage_view, build_specialists_table


class SpecialistsPage(Page):
    """List the versions of all specialists."""

    KEYS = (
        Key("enter", "open", "show the verdict of this version", "verdict"),
        Key("v", "verify", "check the digest of every file of the bundle", "verify"),
        Key("t", "try_it", "try this version", "try"),
        Key("a", "alias", "assign an alias, such as production", "alias"),
        Key("r", "report", "write the HTML report and open it", "report"),
        Key("c", "compare", "compare with the previous version", "compare"),
    )
    ABOUT = (
        "Every version of every specialist. A version is a distinct bundle. The alias `shipped` is the newest version "
        "that may ship, `latest` the newest of all. Every command takes NAME@ALIAS, such as `factory try NAME@shipped`."
    )
    ARRANGEMENTS: ClassVar = {
        SMALL: (Block((Slot(ACTIVE),)),),
        MEDIUM: (Block((Slot("shelf", 1.0), Slot("lineage", 1.0))),),
        LARGE: (Block((Slot("shelf", 1.4), Slot("lineage", 1.0))),),
    }

    def __init__(self) -> None:
        super().__init__()
        self.entries: list[SpecialistEntry] = []
        self.problems: dict[str, list[str]] = {}
        """Label of a verified version → problems of its files."""

    def compose_panels(self) -> Sequence[Widget]:
        return Listing("shelf", "Specialists"), Pages("lineage", "Lineage")

    def fill(self) -> None:
        self.entries = list_specialists(self.state.home, self.state.index.list_runs())
        checks = {
            label: Text(f"✗ {format_count(len(found), 'problem')}", "bad") if found else Text("✓ verified", "good")
            for label, found in self.problems.items()
        }
        names = format_count(len({entry.version.name for entry in self.entries}), "specialist")
        self.show_message(f"{names}, {format_count(len(self.entries), 'version')}", "")
        table = build_specialists_table(self.entries, self.state.index.summaries, self.state.clock(), checks)
        self.listing("shelf").set_content(table)
        self._show_lineage()

    def index_changed(self) -> None:
        self.fill()

    def get_current_entry(self) -> SpecialistEntry | None:
        """Return the version under the cursor."""
        row = self.listing("shelf").current
        return next((entry for entry in self.entries if row and entry.label == row.key), None)

    @on(Listing.Moved)
    def _handle_move(self, event: Listing.Moved) -> None:
        entry = self.get_current_entry()
        if event.by_hand and entry is not None:
            self.state.selected_run = entry.version.run
        self._show_lineage()

    def _show_lineage(self) -> None:
        entry = self.get_current_entry()
        if entry is None:
            self.pages("lineage").set_content(lambda width: [])
            return
        problems = self.problems.get(entry.label)
        page = build_lineage_view(entry, self.state.get_run_outputs(entry.version.run))
        self.pages("lineage").set_content(lambda width: render_lineage(page, problems, width))

    @on(Listing.Chosen)
    def _handle_chosen(self) -> None:
        entry = self.get_current_entry()
        if entry is not None:
            self.factory.open_run(entry.version.run, "verdict")

    def action_verify(self) -> None:
        entry = self.get_current_entry()
        if entry is not None:
            self.notify(f"verifying every file of {entry.label} …", timeout=2)
            self.run_worker(lambda: self._verify(entry), thread=True, group="verify")

    def _verify(self, entry: SpecialistEntry) -> None:
        """In a thread, read every file of the bundle."""
        try:
            problems = verify_bundle(entry.version.bundle)
        except READ_ERRORS as error:
            problems = [str(error)]

        def publish() -> None:
            self.problems[entry.label] = problems
            self.fill()

        self.app.call_from_thread(publish)

    def action_try_it(self) -> None:
        entry = self.get_current_entry()
        if entry is not None:
            self.state.to_try = [entry.label]
            self.factory.action_page("try")

    def action_alias(self) -> None:
        """Ask for an alias and assign it."""
        entry = self.get_current_entry()
        if entry is None:
            return

        def handle_answer(alias: str | None) -> None:
            if alias:
                try:
                    assign_alias(self.state.home, entry.label, alias.strip())
                except READ_ERRORS as error:
                    self.notify(str(error), severity="error")
                self.fill()

        question = f"Alias to assign to {entry.label} (it is removed from any other version):"
        self.app.push_screen(AskScreen(question), handle_answer)

    def action_report(self) -> None:
        entry = self.get_current_entry()
        if entry is not None:
            self.factory.write_report(entry.version.run)

    def action_compare(self) -> None:
        entry = self.get_current_entry()
        if entry is not None:
            version = entry.version
            siblings = [other.version for other in self.entries if other.version.name == version.name]
            # Newest first: the first of the older versions is the previous one.
            older = [sibling.run for sibling in siblings if sibling.number < version.number]
            self.state.compared = [version.run, *older[:1]]
            self.factory.action_page("compare")
