"""The Review screen: a subject expert accepts, rejects or edits rows, one key per row."""

from __future__ import annotations

import getpass
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from textual.widget import Widget

from factory.errors import READ_ERRORS, FactoryError
from factory.tui.keys import Key
from factory.tui.rich_text import describe_read_error, wrap_text
from factory.tui.screens.base import NO_RUNS, Page
from factory.tui.screens.help import AskScreen
from factory.tui.views import review_view as view
from factory.tui.widgets.pages import Pages
from factory.tui.widgets.panel import ACTIVE, LARGE, MEDIUM, SMALL, Block, Slot

if TYPE_CHECKING:
    from factory.review.session import ReviewItem, ReviewSession
    from factory.tui.state import AppState

LOADING = "looking for rows to review …"
INSTRUCTIONS = (
    "Enable review in a spec with `data: {review: {file: decisions.jsonl, share: 0.05, acceptance: 0.9}}`. "
    "`factory review SPEC` reviews on the command line; with --csv, in a spreadsheet."
)


class ReviewPage(Page):
    """Show one row at a time and record decisions on it."""

    KEYS = (
        Key("a", "decide('accept')", "accept the row as it is", "accept"),
        Key("r", "decide('reject')", "reject the row: training leaves it out", "reject"),
        Key("e", "edit", "edit the answer", "edit"),
        Key("s", "decide('skip')", "skip the row for now", "skip"),
        Key("u", "undo", "undo your last decision", "undo"),
        Key("n", "note", "reject the row with a note", "note"),
    )
    ABOUT = (
        "Training rows for review by a subject expert: a stratified sample, the least certain first. The origin of a "
        "row is hidden. Each decision is saved to the file named in the spec before the next row is shown."
    )
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
        """The run whose spec configures the review."""
        self.error_message = ""

    def compose_panels(self) -> Sequence[Widget]:
        return Pages("row", "Row"), Pages("agreement", "Agreement")

    def arrive(self) -> None:
        """Open the review session of the selected run, unless it is open already."""
        run = self.state.get_run_id()
        if run == self.run_id and self.session is not None:
            self.fill()
            return
        self.run_id, self.session, self.item, self.error_message = run, None, None, ""
        self.show_message(LOADING, "run")
        if run:
            self.run_worker(lambda: self._load_session(run), thread=True, group="desk", exclusive=True)
        else:
            self._show_error(NO_RUNS)

    def _load_session(self, run: str) -> None:
        """In a thread, compile the run's spec and open the session."""
        try:
            session = open_run_session(self.state, run)
        except READ_ERRORS as error:
            self.app.call_from_thread(self._show_error, describe_read_error(error))
            return
        if run == self.run_id:
            self.app.call_from_thread(self._show_session, session)

    def _show_session(self, session: ReviewSession) -> None:
        self.session = session
        self._show_next()

    def _show_error(self, text: str) -> None:
        self.error_message = text
        self.fill()

    def _show_next(self) -> None:
        self.item = next(iter(self.session.list_waiting_items() if self.session else ()), None)
        self.fill()
        self.pages("row").scroll_to(y=0, animate=False)

    def fill(self) -> None:
        session, item = self.session, self.item
        if session is None:
            self.show_message(self.error_message or LOADING, "warn" if self.error_message else "run")
            self.pages("row").set_content(lambda width: wrap_text(INSTRUCTIONS, width, "dim"))
            return
        self.show_head(lambda width: view.render_heading(session, width))
        self.pages("row").set_content(lambda width: view.render_row(session, item, width))
        self.pages("agreement").set_content(lambda width: view.render_agreement(session, width))

    def action_decide(self, verdict: str, answer: dict[str, Any] | None = None, note: str = "") -> None:
        """Save a decision on the current row, then show the next row."""
        if self.session is None or self.item is None:
            return
        try:
            self.session.record_decision(self.item, verdict, answer, note)
        except (FactoryError, OSError) as error:
            self.notify(str(error), severity="error")
            return
        self._show_next()

    def action_undo(self) -> None:
        """Undo the last decision and show its row again."""
        if self.session is None:
            return
        item = self.session.undo()
        self._show_next()
        if item is not None:
            self.item = item
            self.fill()

    def action_note(self) -> None:
        """Ask why, then reject the current row."""

        def handle_answer(note: str | None) -> None:
            if note:
                self.action_decide("reject", note=note)

        if self.item is not None:
            self.app.push_screen(AskScreen("Why is this row rejected?"), handle_answer)

    def action_edit(self) -> None:
        """Ask for each column of the answer, then record them."""
        if self.item is not None:
            self._edit_columns(list(self.item.answer), {})

    def _edit_columns(self, columns: list[str], answer: dict[str, Any]) -> None:
        from factory.review.session import format_editable_value, parse_edited_value

        if self.item is None:
            return
        if not columns:
            self.action_decide("edit", answer)
            return
        name, *rest = columns
        current = self.item.answer[name]

        def handle_answer(text: str | None) -> None:
            if not text:
                return
            try:
                self._edit_columns(rest, {**answer, name: parse_edited_value(text, current)})
            except FactoryError as error:
                self.notify(str(error), severity="error")

        question = f"New value of {name} (esc cancels):"
        self.app.push_screen(AskScreen(question, format_editable_value(current)), handle_answer)


def open_run_session(state: AppState, run: str) -> ReviewSession:
    """Open the review session of this user account for the spec of a run.

    Raises FactoryError when the spec no longer exists or has no `data.review`, or its rows are not built yet.
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
