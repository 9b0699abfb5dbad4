"""Review: the rows that an expert is asked about, one at a time, a single key each."""

from __future__ import annotations

import getpass
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from textual.binding import BindingType
from textual.widget import Widget

from factory.errors import FactoryError
from factory.tui.keys import Key, make_bindings
from factory.tui.read_errors import READ_ERRORS, describe_read_error
from factory.tui.rich_text import Line, make_line, wrap_text
from factory.tui.screens.base import Page
from factory.tui.screens.help import AskScreen
from factory.tui.views import review_view as view
from factory.tui.widgets.pages import Pages
from factory.tui.widgets.panel import ACTIVE, LARGE, MEDIUM, SMALL, Block, Slot

if TYPE_CHECKING:
    from factory.review.session import ReviewItem, ReviewSession
    from factory.tui.state import AppState

KEYS = (
    Key("a", "decide('accept')", "accept the row as it is", "accept"),
    Key("r", "decide('reject')", "reject it: training will not see it", "reject"),
    Key("e", "edit", "edit its answer", "edit"),
    Key("s", "decide('skip')", "skip it for now", "skip"),
    Key("u", "undo", "undo your last decision", "undo"),
    Key("n", "note", "reject it and say why", "note"),
)
ABOUT = (
    "Training rows for review by a subject expert: a stratified sample, the least certain first. The origin of a row "
    "is hidden. Each decision is saved before the next row is shown, to the file named in the spec."
)


class ReviewPage(Page):
    """One row at a time."""

    KEYS = KEYS
    ABOUT = ABOUT
    BINDINGS: ClassVar[list[BindingType]] = make_bindings(KEYS)
    ARRANGEMENTS: ClassVar = {
        SMALL: (Block((Slot(ACTIVE),)),),
        MEDIUM: (Block((Slot("row", 2.0), Slot("agreement", 1.0))),),
        LARGE: (Block((Slot("row"),), 1.4), Block((Slot("agreement"),), 1.0)),
    }

    def __init__(self) -> None:
        super().__init__()
        self.session: ReviewSession | None = None
        self.item: ReviewItem | None = None
        self.run_id = ""
        """The run whose spec asks."""
        self.failed = ""

    def panels(self) -> Sequence[Widget]:
        """The row, and what reviewers have in common."""
        return Pages("row", "Row"), Pages("agreement", "Agreement")

    def arrive(self) -> None:
        """Another run, maybe: its spec says what is asked."""
        run = self.state.get_run_id()
        if run == self.run_id and self.session is not None:
            self.fill()
            return
        self.run_id, self.session, self.item, self.failed = run, None, None, ""
        self.show_head(lambda room: [make_line(("looking for rows to review …", "run"))])
        if run:
            self.run_worker(lambda: self._load_session(run), thread=True, group="desk", exclusive=True)
        else:
            self._show_error("no runs yet: start one with `factory build SPEC`")

    def _load_session(self, run: str) -> None:
        """In a thread: from the run's spec to a desk."""
        tell = self.app.call_from_thread
        try:
            made = open_run_session(self.state, run)
        except READ_ERRORS as error:
            tell(self._show_error, describe_read_error(error))
            return
        if run == self.run_id:
            tell(self._show_session, made)

    def _show_session(self, made: ReviewSession) -> None:
        self.session = made
        self._show_next()

    def _show_error(self, text: str) -> None:
        self.failed = text
        self.fill()

    def _show_next(self) -> None:
        waiting = self.session.list_waiting_items() if self.session else []
        self.item = waiting[0] if waiting else None
        self.fill()
        self.pages("row").scroll_to(y=0, animate=False)

    def fill(self) -> None:
        """The row, the progress, the agreement."""
        session, item = self.session, self.item
        if session is None:
            said = self.failed or "looking for rows to review …"
            self.show_head(lambda room: wrap_text(said, room, "warn" if self.failed else "run"))
            self.pages("row").set_content(lambda room: self._render_instructions(room))
            return
        self.show_head(lambda room: view.render_heading(session, room))
        self.pages("row").set_content(lambda room: view.render_row(session, item, room))
        self.pages("agreement").set_content(lambda room: view.render_agreement(session, room))

    def _render_instructions(self, room: int) -> list[Line]:
        how = (
            "Enable review in a spec with `data: {review: {file: decisions.jsonl, share: 0.05, acceptance: 0.9}}`. "
            "`factory review SPEC` reviews on the command line; with --csv, in a spreadsheet."
        )
        return wrap_text(how, room, "dim")

    def action_decide(self, word: str) -> None:
        """On the disk when this returns; then the next row."""
        self._record(word)

    def _record(self, word: str, answer: dict[str, Any] | None = None, note: str = "") -> None:
        if self.session is None or self.item is None:
            return
        try:
            self.session.record_decision(self.item, word, answer, note)
        except (FactoryError, OSError) as error:
            self.notify(str(error), severity="error")
            return
        self._show_next()

    def action_undo(self) -> None:
        """The last word is taken back, and its row shown again."""
        back = self.session.undo() if self.session is not None else None
        if self.session is not None:
            self._show_next()
        if back is not None:
            self.item = back
            self.fill()

    def action_note(self) -> None:
        """Reject, and say why."""
        if self.item is not None:
            self.app.push_screen(AskScreen("Why is this row rejected?"), self._reject_with_note)

    def _reject_with_note(self, why: str | None) -> None:
        if why:
            self._record("reject", note=why)

    def action_edit(self) -> None:
        """Ask for each column of the answer, then decide."""
        if self.item is not None:
            self._edit_columns(list(self.item.answer), {})

    def _edit_columns(self, left: list[str], answer: dict[str, Any]) -> None:
        from factory.review.session import format_editable_value, parse_edited_value

        if self.item is None:
            return
        if not left:
            self._record("edit", answer)
            return
        name, like = left[0], self.item.answer[left[0]]

        def handle_answer(written: str | None) -> None:
            if not written:
                return
            try:
                self._edit_columns(left[1:], {**answer, name: parse_edited_value(written, like)})
            except FactoryError as error:
                self.notify(str(error), severity="error")

        self.app.push_screen(
            AskScreen(f"{name}: what should it be? esc leaves it.", format_editable_value(like)), handle_answer
        )


def open_run_session(state: AppState, run: str) -> ReviewSession:
    """The desk of this account over the rows that a run's spec asks about.

    Raises FactoryError when the spec is not there any more, asks for no review, or its rows are not made.
    """
    from pathlib import Path

    from factory.plan.compiler import compile_plan
    from factory.registry.registry import load_installed_registry
    from factory.review import session_from_spec
    from factory.spec.layers import resolve_spec

    view = state.get_run_outputs(run).run
    resolved = resolve_spec(Path(view.spec), profile=view.profile, registry=load_installed_registry())
    session_from_spec.require_review_settings(resolved)
    return session_from_spec.open_review_session(resolved, compile_plan(resolved), state.home, getpass.getuser())
