"""Review: the rows that an expert is asked about, one at a time, a single key each."""

from __future__ import annotations

import getpass
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from textual.binding import BindingType
from textual.widget import Widget

from factory.errors import FactoryError
from factory.tui.broken import BROKEN, unreadable
from factory.tui.keys import Key, bindings
from factory.tui.lines import Line, line, wrapped
from factory.tui.screens.base import Page
from factory.tui.screens.help import AskScreen
from factory.tui.views import reviewing as view
from factory.tui.widgets.pages import Pages
from factory.tui.widgets.panel import ACTIVE, LARGE, MEDIUM, SMALL, Block, Slot

if TYPE_CHECKING:
    from factory.review.session import ReviewItem, ReviewSession
    from factory.tui.world import World

KEYS = (
    Key("a", "decide('accept')", "accept the row as it is", "accept"),
    Key("r", "decide('reject')", "reject it: training will not see it", "reject"),
    Key("e", "edit", "edit its answer", "edit"),
    Key("s", "decide('skip')", "put it off", "skip"),
    Key("u", "undo", "take your last word back", "undo"),
    Key("n", "note", "reject it and say why", "note"),
)
ABOUT = (
    "The training rows that a subject expert is asked about: a stratified sample, doubtful ones first. It does not say "
    "who made a row. Every key is on the disk before the next row comes. The spec says where decisions go."
)


class ReviewPage(Page):
    """One row at a time."""

    KEYS = KEYS
    ABOUT = ABOUT
    BINDINGS: ClassVar[list[BindingType]] = bindings(KEYS)
    ARRANGEMENTS: ClassVar = {
        SMALL: (Block((Slot(ACTIVE),)),),
        MEDIUM: (Block((Slot("row", 2.0), Slot("agreement", 1.0))),),
        LARGE: (Block((Slot("row"),), 1.4), Block((Slot("agreement"),), 1.0)),
    }

    def __init__(self) -> None:
        super().__init__()
        self.desk: ReviewSession | None = None
        self.item: ReviewItem | None = None
        self.of = ""
        """The run whose spec asks."""
        self.failed = ""

    def panels(self) -> Sequence[Widget]:
        """The row, and what reviewers have in common."""
        return Pages("row", "Row"), Pages("agreement", "Agreement")

    def arrive(self) -> None:
        """Another run, maybe: its spec says what is asked."""
        run = self.world.run()
        if run == self.of and self.desk is not None:
            self.fill()
            return
        self.of, self.desk, self.item, self.failed = run, None, None, ""
        self.headed(lambda room: [line(("looking for rows to review …", "run"))])
        if run:
            self.run_worker(lambda: self._open(run), thread=True, group="desk", exclusive=True)
        else:
            self._fail("there is no run yet; `factory build SPEC` makes one")

    def _open(self, run: str) -> None:
        """In a thread: from the run's spec to a desk."""
        tell = self.app.call_from_thread
        try:
            made = desk_of(self.world, run)
        except BROKEN as error:
            tell(self._fail, unreadable(error))
            return
        if run == self.of:
            tell(self._come, made)

    def _come(self, made: ReviewSession) -> None:
        self.desk = made
        self._next()

    def _fail(self, text: str) -> None:
        self.failed = text
        self.fill()

    def _next(self) -> None:
        waiting = self.desk.list_waiting_items() if self.desk else []
        self.item = waiting[0] if waiting else None
        self.fill()
        self.pages("row").scroll_to(y=0, animate=False)

    def fill(self) -> None:
        """The row, the progress, the agreement."""
        desk, item = self.desk, self.item
        if desk is None:
            said = self.failed or "looking for rows to review …"
            self.headed(lambda room: wrapped(said, room, "warn" if self.failed else "run"))
            self.pages("row").tell(lambda room: self._how(room))
            return
        self.headed(lambda room: view.heading(desk, room))
        self.pages("row").tell(lambda room: view.row(desk, item, room))
        self.pages("agreement").tell(lambda room: view.agreement(desk, room))

    def _how(self, room: int) -> list[Line]:
        how = (
            "A spec asks for a review by `data: {review: {file: decisions.jsonl, share: 0.05, acceptance: 0.9}}`. "
            "`factory review SPEC` makes the rows and asks on the command line; with --csv, in a spreadsheet."
        )
        return wrapped(how, room, "dim")

    def action_decide(self, word: str) -> None:
        """On the disk when this returns; then the next row."""
        self._say(word)

    def _say(self, word: str, answer: dict[str, Any] | None = None, note: str = "") -> None:
        if self.desk is None or self.item is None:
            return
        try:
            self.desk.record_decision(self.item, word, answer, note)
        except (FactoryError, OSError) as error:
            self.notify(str(error), severity="error")
            return
        self._next()

    def action_undo(self) -> None:
        """The last word is taken back, and its row shown again."""
        back = self.desk.undo() if self.desk is not None else None
        if self.desk is not None:
            self._next()
        if back is not None:
            self.item = back
            self.fill()

    def action_note(self) -> None:
        """Reject, and say why."""
        if self.item is not None:
            self.app.push_screen(AskScreen("Why is this row rejected?"), self._noted)

    def _noted(self, why: str | None) -> None:
        if why:
            self._say("reject", note=why)

    def action_edit(self) -> None:
        """Ask for each column of the answer, then decide."""
        if self.item is not None:
            self._ask_for(list(self.item.answer), {})

    def _ask_for(self, left: list[str], answer: dict[str, Any]) -> None:
        from factory.review.session import format_editable_value, parse_edited_value

        if self.item is None:
            return
        if not left:
            self._say("edit", answer)
            return
        name, like = left[0], self.item.answer[left[0]]

        def answered(written: str | None) -> None:
            if not written:
                return
            try:
                self._ask_for(left[1:], {**answer, name: parse_edited_value(written, like)})
            except FactoryError as error:
                self.notify(str(error), severity="error")

        self.app.push_screen(AskScreen(f"{name}: what should it be? esc leaves it.", format_editable_value(like)), answered)


def desk_of(world: World, run: str) -> ReviewSession:
    """The desk of this account over the rows that a run's spec asks about.

    Raises FactoryError when the spec is not there any more, asks for no review, or its rows are not made.
    """
    from pathlib import Path

    from factory.plan.compiler import compile_plan
    from factory.registry.registry import load_installed_registry
    from factory.review import session_from_spec
    from factory.spec.layers import resolve_spec

    view = world.evidence(run).run
    resolved = resolve_spec(Path(view.spec), profile=view.profile, registry=load_installed_registry())
    session_from_spec.require_review_settings(resolved)
    return session_from_spec.open_review_session(resolved, compile_plan(resolved), world.home, getpass.getuser())
