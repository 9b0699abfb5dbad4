"""The Try screen: ask one or several specialists the same question, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from textual import on
from textual.widget import Widget
from textual.widgets import Input

from factory.errors import InputError
from factory.evaluation.compare import FrozenRowViewer
from factory.runs.specialists import SpecialistEntry, list_specialists
from factory.tui.keys import Key
from factory.tui.screens.base import Page
from factory.tui.specialist_client import Reply, SpecialistPool, format_fields, parse_fields
from factory.tui.views.replies_view import render_replies
from factory.tui.widgets.listing import Listing
from factory.tui.widgets.pages import Pages
from factory.tui.widgets.panel import ACTIVE, LARGE, MEDIUM, SMALL, Block, Slot
from factory.views.specialists import CHOICE_COLUMNS, build_specialists_table


class TryPage(Page):
    """Ask the marked specialists a question and show their answers."""

    KEYS = (
        Key("i", "type", "type a question", "type"),
        Key("space", "mark", "mark or unmark this specialist", "mark"),
        Key("x", "example", "fill in a held-out test row (frozen)", "example"),
        Key("enter", "ask", "ask the marked specialists", "ask"),
    )
    ABOUT = (
        "Ask one or several specialists the same question. Each answers in its own process, which starts with the "
        "first question and ends with this screen. The second line takes further columns of the question, such as "
        'history=["…"].'
    )
    ARRANGEMENTS: ClassVar = {
        SMALL: (Block((Slot(ACTIVE),)),),
        MEDIUM: (Block((Slot("who", 0.6), Slot("answers", 1.0))),),
        LARGE: (Block((Slot("who", 0.35), Slot("answers", 1.0))),),
    }

    def __init__(self) -> None:
        super().__init__()
        self.pool: SpecialistPool | None = None
        self.marked: list[str] = []
        """Labels of the specialists that a question goes to."""
        self.replies: dict[str, Reply] = {}
        self.replies_changed = False

    def compose_panels(self) -> Sequence[Widget]:
        return Listing("who", "Specialists"), Pages("answers", "Answers")

    def compose_header(self) -> Sequence[Widget]:
        return (
            Input(id="query", compact=True, placeholder="type a question, then press enter"),
            Input(id="fields", compact=True, placeholder="further columns, optional: COLUMN=VALUE; …"),
        )

    def _list_stored(self) -> list[SpecialistEntry]:
        entries = list_specialists(self.state.home, self.state.index.list_runs())
        return [entry for entry in entries if entry.version.is_stored]

    def arrive(self) -> None:
        """Mark what another screen asks for, else what was marked before, the selected run's, or the newest shipped."""
        entries = self._list_stored()
        labels = [entry.label for entry in entries]
        to_try, self.state.to_try = self.state.to_try, []
        of_run = [entry.label for entry in entries if entry.version.run == self.state.selected_run]
        shipped = [entry.label for entry in entries if "shipped" in entry.aliases] or labels
        self.marked = [label for label in to_try or self.marked or of_run or shipped[:1] if label in labels]
        self.show_message("all marked specialists get the same question; their models stay loaded", "")
        self._show_choice(entries)
        if self.marked:
            self.listing("who").move_to_key(self.marked[0])
        self._show_replies()

    def fill(self) -> None:
        self._show_choice(self._list_stored())
        self._show_replies()

    def _show_choice(self, entries: Sequence[SpecialistEntry]) -> None:
        table = build_specialists_table(entries, self.state.index.summaries, self.state.clock())
        self.listing("who").marked = self.marked
        self.listing("who").set_content(table.select(CHOICE_COLUMNS))

    def _show_replies(self) -> None:
        replies = dict(self.replies)
        self.pages("answers").set_content(lambda width: render_replies(replies, width))

    def tick(self) -> None:
        """Show the text that specialists have generated since the last tick."""
        if self.replies_changed:
            self.replies_changed = False
            self._show_replies()

    def action_type(self) -> None:
        self.query_one("#query", Input).focus()

    def action_mark(self) -> None:
        row = self.listing("who").current
        if row is not None:
            others = [label for label in self.marked if label != row.key]
            self.marked = others if row.key in self.marked else [*others, row.key]
            self.fill()

    def action_example(self) -> None:
        """Fill in a test row of the specialist under the cursor."""
        row = self.listing("who").current
        entry = next((entry for entry in self._list_stored() if row and entry.label == row.key), None)
        if entry is None:
            return
        example = FrozenRowViewer(self.state.get_run_outputs(entry.version.run)).build_example_question()
        if not example:
            self.notify("the test rows or the task of this specialist are not available", severity="warning")
            return
        self.query_one("#query", Input).value = str(example.pop("query", ""))
        self.query_one("#fields", Input).value = format_fields({name: v for name, v in example.items() if v})
        self.action_type()

    @on(Input.Submitted, "#query")
    @on(Input.Submitted, "#fields")
    @on(Listing.Chosen, "#who")
    def _handle_submit(self) -> None:
        query = self.query_one("#query", Input).value.strip()
        try:
            fields = parse_fields(self.query_one("#fields", Input).value)
        except InputError as error:
            self.notify(str(error), severity="error")
            return
        if not query:
            self.action_type()
            return
        if not self.marked:
            self.notify("no specialist is marked: mark one with space", severity="warning")
            return
        self.pool = self.pool or SpecialistPool(self.state.home)
        self.replies = {label: Reply(label) for label in self.marked}
        self.deck.turn("answers", focus=False)
        self._show_replies()
        for label in self.marked:
            self.run_worker(lambda label=label: self._ask_specialist(label, query, fields), thread=True, group=label)

    def _ask_specialist(self, label: str, query: str, fields: dict[str, Any]) -> None:
        """In a thread, wait for the answer of one specialist."""
        assert self.pool is not None

        def store_partial_reply(text: str) -> None:
            self.replies[label] = Reply(label, text)
            self.replies_changed = True

        self.replies[label] = self.pool.ask(label, query, fields, store_partial_reply)
        self.replies_changed = True

    def action_back(self) -> None:
        """Leave the question first."""
        if isinstance(self.focused, Input) and self.focused.id in ("query", "fields"):
            self.get_active_panel().focus()
        else:
            super().action_back()

    def on_unmount(self) -> None:
        """End the processes."""
        if self.pool is not None:
            self.pool.close()
