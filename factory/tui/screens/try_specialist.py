"""Try: ask one or several specialists the same thing, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from textual import on
from textual.binding import BindingType
from textual.widget import Widget
from textual.widgets import Input

from factory.evaluation.compare import FrozenRowViewer
from factory.tui.keys import Key, make_bindings
from factory.tui.rich_text import make_line
from factory.tui.screens.base import Page
from factory.tui.specialist_client import Reply, SpecialistPool, format_fields, parse_fields
from factory.tui.specialist_list import list_specialists
from factory.tui.views import replies_view as view
from factory.tui.widgets.listing import Listing
from factory.tui.widgets.pages import Pages
from factory.tui.widgets.panel import ACTIVE, LARGE, MEDIUM, SMALL, Block, Slot

KEYS = (
    Key("i", "type", "type a question", "type"),
    Key("space", "mark", "mark or unmark this specialist", "mark"),
    Key("x", "example", "fill in a held-out test row", "example"),
    Key("enter", "ask", "ask those that are marked", "ask"),
)
ABOUT = (
    "Ask one or several specialists the same thing. Each answers in a process of its own, which is started with "
    "the first question and ends with this screen. `with` holds further columns of the question, such as "
    'history=["…"].'
)


class TryPage(Page):
    """A question, and who answers what."""

    KEYS = KEYS
    ABOUT = ABOUT
    BINDINGS: ClassVar[list[BindingType]] = make_bindings(KEYS[:3])
    ARRANGEMENTS: ClassVar = {
        SMALL: (Block((Slot(ACTIVE),)),),
        MEDIUM: (Block((Slot("who", 0.6), Slot("answers", 1.0))),),
        LARGE: (Block((Slot("who", 0.35), Slot("answers", 1.0))),),
    }

    def __init__(self) -> None:
        super().__init__()
        self.pool: SpecialistPool | None = None
        self.asked: list[str] = []
        self.replies: dict[str, Reply] = {}
        self.changed = False

    def panels(self) -> Sequence[Widget]:
        """Whom to ask, and what they say."""
        return Listing("who", "Whom to ask"), Pages("answers", "Answers")

    def above(self) -> Sequence[Widget]:
        """The question and its further columns."""
        return (
            Input(id="query", compact=True, placeholder="ask something, then enter"),
            Input(id="fields", compact=True, placeholder="with: COLUMN=VALUE; …  (may stay empty)"),
        )

    def arrive(self) -> None:
        """Whom was asked for elsewhere, else the newest that may ship."""
        shelf = [one for one in list_specialists(self.state.home, self.state.index) if one.version.is_stored]
        known = [one.label for one in shelf]
        wanted, self.state.to_try = self.state.to_try, []
        mine = [one.label for one in shelf if one.version.run == self.state.selected_run]
        first = [one.label for one in shelf if "shipped" in one.aliases] or known
        self.asked = [name for name in wanted or self.asked or mine or first[:1] if name in known]
        self.show_head(lambda room: [make_line("the same question to each of them; they stay loaded while this runs")])
        self.listing("who").set_content(view.build_choice_table(shelf, self.asked))
        if self.asked:
            self.listing("who").go_to(self.asked[0])
        self._show_replies()

    def fill(self) -> None:
        """Who is marked, and what was said."""
        shelf = [one for one in list_specialists(self.state.home, self.state.index) if one.version.is_stored]
        self.listing("who").set_content(view.build_choice_table(shelf, self.asked))
        self._show_replies()

    def _show_replies(self) -> None:
        replies = dict(self.replies)
        self.pages("answers").set_content(lambda room: view.render_replies(replies, room))

    def tick(self) -> None:
        """Words come as they are said, but no faster than one can see."""
        if self.changed:
            self.changed = False
            self._show_replies()

    def action_type(self) -> None:
        """To the question."""
        self.query_one("#query", Input).focus()

    def action_mark(self) -> None:
        """Ask this one too, or no longer."""
        current = self.listing("who").current
        if current is not None:
            here = current.key
            self.asked = [n for n in self.asked if n != here] if here in self.asked else [*self.asked, here]
            self.fill()

    def action_example(self) -> None:
        """Something that the one under the cursor was tested on."""
        current = self.listing("who").current
        one = next(
            (k for k in list_specialists(self.state.home, self.state.index) if current and k.label == current.key), None
        )
        if one is None:
            return
        found = FrozenRowViewer(self.state.get_run_outputs(one.version.run)).build_example_question()
        if not found:
            self.notify("the test rows or the task of this specialist are not available", severity="warning")
            return
        self.query_one("#query", Input).value = str(found.pop("query", ""))
        self.query_one("#fields", Input).value = format_fields({k: v for k, v in found.items() if v})
        self.action_type()

    @on(Input.Submitted, "#query")
    @on(Input.Submitted, "#fields")
    @on(Listing.Chosen, "#who")
    def _handle_submit(self) -> None:
        query = self.query_one("#query", Input).value.strip()
        try:
            fields = parse_fields(self.query_one("#fields", Input).value)
        except ValueError as error:
            self.notify(str(error), severity="error")
            return
        if not query:
            self.action_type()
            return
        if not self.asked:
            self.notify("no specialist is marked: mark one with space", severity="warning")
            return
        self.pool = self.pool or SpecialistPool(self.state.home)
        self.replies = {name: Reply(name) for name in self.asked}
        self.deck.turn("answers", focus=False)
        self._show_replies()
        for name in self.asked:
            self.run_worker(lambda name=name: self._ask_specialist(name, query, fields), thread=True, group=name)

    def _ask_specialist(self, name: str, query: str, fields: dict[str, Any]) -> None:
        """In a thread: one specialist answers."""
        assert self.pool is not None

        def show_partial_reply(text: str) -> None:
            self.replies[name] = Reply(name, text)
            self.changed = True

        self.replies[name] = self.pool.ask(name, query, fields, show_partial_reply)
        self.changed = True

    def action_back(self) -> None:
        """Out of the question first."""
        if isinstance(self.focused, Input) and self.focused.id in ("query", "fields"):
            self.active().focus()
        else:
            super().action_back()

    def on_unmount(self) -> None:
        """The processes end with the screen."""
        if self.pool is not None:
            self.pool.close()
