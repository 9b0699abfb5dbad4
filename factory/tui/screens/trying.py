"""Try: ask one or several specialists the same thing, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from textual import on
from textual.binding import BindingType
from textual.widget import Widget
from textual.widgets import Input

from factory.evaluation.compare import FrozenRowViewer
from factory.tui.asking import Asking, Reply, fields_of, spelled
from factory.tui.keys import Key, bindings
from factory.tui.lines import line
from factory.tui.screens.base import Page
from factory.tui.shelf import kept
from factory.tui.views import trying as view
from factory.tui.widgets.listing import Listing
from factory.tui.widgets.pages import Pages
from factory.tui.widgets.panel import ACTIVE, LARGE, MEDIUM, SMALL, Block, Slot

KEYS = (
    Key("i", "type", "type a question", "type"),
    Key("space", "mark", "ask this one too, or no longer", "mark"),
    Key("x", "example", "fill in something that it was tested on", "example"),
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
    BINDINGS: ClassVar[list[BindingType]] = bindings(KEYS[:3])
    ARRANGEMENTS: ClassVar = {
        SMALL: (Block((Slot(ACTIVE),)),),
        MEDIUM: (Block((Slot("who", 0.6), Slot("answers", 1.0))),),
        LARGE: (Block((Slot("who", 0.35), Slot("answers", 1.0))),),
    }

    def __init__(self) -> None:
        super().__init__()
        self.asking: Asking | None = None
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
        shelf = [one for one in kept(self.world.home, self.world.index) if one.version.is_stored]
        known = [one.label for one in shelf]
        wanted, self.factory.to_try = self.factory.to_try, []
        mine = [one.label for one in shelf if one.version.run == self.world.chosen]
        first = [one.label for one in shelf if "shipped" in one.aliases] or known
        self.asked = [name for name in wanted or self.asked or mine or first[:1] if name in known]
        self.headed(lambda room: [line("the same question to each of them; they stay loaded while this runs")])
        self.listing("who").tell(view.specialists(shelf, self.asked))
        if self.asked:
            self.listing("who").go_to(self.asked[0])
        self._answers()

    def fill(self) -> None:
        """Who is marked, and what was said."""
        shelf = [one for one in kept(self.world.home, self.world.index) if one.version.is_stored]
        self.listing("who").tell(view.specialists(shelf, self.asked))
        self._answers()

    def _answers(self) -> None:
        replies = dict(self.replies)
        self.pages("answers").tell(lambda room: view.answers(replies, room))

    def tick(self) -> None:
        """Words come as they are said, but no faster than one can see."""
        if self.changed:
            self.changed = False
            self._answers()

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
        one = next((k for k in kept(self.world.home, self.world.index) if current and k.label == current.key), None)
        if one is None:
            return
        found = FrozenRowViewer(self.world.evidence(one.version.run)).build_example_question()
        if not found:
            self.notify("its test rows, or its task, are not here", severity="warning")
            return
        self.query_one("#query", Input).value = str(found.pop("query", ""))
        self.query_one("#fields", Input).value = spelled({k: v for k, v in found.items() if v})
        self.action_type()

    @on(Input.Submitted, "#query")
    @on(Input.Submitted, "#fields")
    @on(Listing.Chosen, "#who")
    def _ask(self) -> None:
        query = self.query_one("#query", Input).value.strip()
        try:
            fields = fields_of(self.query_one("#fields", Input).value)
        except ValueError as error:
            self.notify(str(error), severity="error")
            return
        if not query:
            self.action_type()
            return
        if not self.asked:
            self.notify("nobody is marked: space marks whom to ask", severity="warning")
            return
        self.asking = self.asking or Asking(self.world.home)
        self.replies = {name: Reply(name) for name in self.asked}
        self.deck.turn("answers", focus=False)
        self._answers()
        for name in self.asked:
            self.run_worker(lambda name=name: self._one(name, query, fields), thread=True, group=name)

    def _one(self, name: str, query: str, fields: dict[str, Any]) -> None:
        """In a thread: one specialist answers."""
        assert self.asking is not None

        def heard(text: str) -> None:
            self.replies[name] = Reply(name, text)
            self.changed = True

        self.replies[name] = self.asking.ask(name, query, fields, heard)
        self.changed = True

    def action_back(self) -> None:
        """Out of the question first."""
        if isinstance(self.focused, Input) and self.focused.id in ("query", "fields"):
            self.active().focus()
        else:
            super().action_back()

    def on_unmount(self) -> None:
        """The processes end with the screen."""
        if self.asking is not None:
            self.asking.close()
