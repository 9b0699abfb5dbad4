"""Dialogs over a screen: help on its keys, a yes/no question, a line of text to enter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input

from factory.events import Verdict
from factory.tui.keys import COMMON_KEYS, MOVEMENT_KEYS
from factory.tui.rich_text import Line, Span, make_line, wrap_line, wrap_text
from factory.tui.widgets.pages import Pages
from factory.views import signs

if TYPE_CHECKING:
    from factory.tui.screens.base import Page

LABEL_CELLS = 26
"""Maximum width of the column of keys."""


def render_help(page: Page, width: int) -> list[Line]:
    """Return the help lines: purpose, keys of the screen, common keys and the meaning of the signs."""
    lines = [*wrap_text(page.ABOUT, width), make_line()]
    label_width = min(LABEL_CELLS, width // 3)
    keys, common = ([(key.label, key.description) for key in group] for group in (page.KEYS, COMMON_KEYS))
    for title, rows in (("Keys of this screen", keys), ("Keys of every screen", [*MOVEMENT_KEYS, *common])):
        lines.append(make_line((title, "title")))
        for label, text in rows:
            lines += wrap_line(make_line((f"{label:<{label_width}}  ", "accent"), text), width, indent=label_width + 2)
        lines.append(make_line())
    return [*lines, make_line(("Signs", "title")), *_render_signs(width)]


def _render_signs(width: int) -> list[Line]:
    rows: list[list[str | Span]] = []
    for title, known in (("stages", signs.STAGE_SIGNS), ("runs", signs.RUN_SIGNS)):
        rows.append([(f"{title}  ", "dim")])
        for name, (sign, tone) in known.items():
            rows[-1] += [(f"{sign} ", tone), f"{name}  "]
    rows.append([("verdicts  ", "dim")])
    for verdict in Verdict:
        rows[-1] += [signs.format_verdict(verdict), "  "]
    rows.append([("├──●──┤", "accent"), "  a mean with its interval; ", ("┊", "dim"), " marks zero"])
    return [line for row in rows for line in wrap_line(make_line(*row), width, 2)]


class HelpScreen(ModalScreen[None]):
    """Show the help of a screen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,f1,q", "dismiss", "close"),
        Binding("down,j", "down", show=False),
        Binding("up,k", "up", show=False),
    ]

    def __init__(self, page: Page) -> None:
        super().__init__()
        self.page = page

    def compose(self) -> ComposeResult:
        with Vertical(classes="sheet"):
            yield Pages("help", "")

    def on_mount(self) -> None:
        self.query_one(Pages).set_content(lambda width: render_help(self.page, width))
        self.query_one(Pages).focus()


class ConfirmScreen(ModalScreen[bool]):
    """Ask a yes/no question; only `y` confirms."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "dismiss(True)", "yes"),
        Binding("n,escape,q,enter", "dismiss(False)", "no"),
    ]

    def __init__(self, message: Sequence[Line]) -> None:
        super().__init__()
        self.message = message

    def compose(self) -> ComposeResult:
        with Vertical(classes="sheet"):
            yield Pages("question", "")

    def on_mount(self) -> None:
        keys = make_line(("y ", "accent"), "yes   ", ("n ", "accent"), "no, change nothing")
        lines = [*self.message, make_line(), keys]
        text = self.query_one(Pages)
        text.styles.height = len(lines)
        text.set_content(lambda width: lines)
        text.focus()


class AskScreen(ModalScreen[str]):
    """Ask for one line of text; returns an empty string when cancelled."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss('')", "cancel")]

    def __init__(self, message: str, value: str = "") -> None:
        super().__init__()
        self.message, self.value = message, value

    def compose(self) -> ComposeResult:
        with Vertical(classes="sheet"):
            yield Pages("question", "")
            yield Input(self.value, id="answer", compact=True)

    def on_mount(self) -> None:
        text = self.query_one(Pages)
        text.styles.height = 2
        text.set_content(lambda width: wrap_text(self.message, width))
        self.query_one(Input).focus()

    @on(Input.Submitted)
    def _handle_submit(self, event: Input.Submitted) -> None:
        self.dismiss(event.value)
