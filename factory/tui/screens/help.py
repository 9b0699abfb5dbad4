"""Sheets over a screen: help on its keys, a question before something is lost, a word that is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input

from factory.tui import theme
from factory.tui.keys import COMMON_KEYS, MOVEMENT_KEYS
from factory.tui.rich_text import Line, make_line, wrap_text
from factory.tui.widgets.pages import Pages

if TYPE_CHECKING:
    from factory.tui.screens.base import Page

LABEL = 26


def render_help(page: Page, room: int) -> list[Line]:
    """Return the help lines: purpose, keys of the screen, common keys and the meaning of the signs."""
    found = [*wrap_text(page.ABOUT, room), make_line()]
    own = [(key.label, key.description) for key in page.KEYS]
    common = [(key.label, key.description) for key in COMMON_KEYS]
    for title, pairs in (("Here", own), ("Everywhere", [*MOVEMENT_KEYS, *common])):
        found += [
            make_line((title, "title")),
            *(each for pair in pairs for each in _render_key(*pair, room)),
            make_line(),
        ]
    return [*found, make_line(("Signs", "title")), *_render_signs(room)]


def _render_key(key: str, message: str, room: int) -> list[Line]:
    label = min(LABEL, room // 3)
    first, *rest = wrap_text(message, room - label - 2)
    lines = [make_line((f"{key:<{label}}", "accent"), "  ", *first)]
    return [*lines, *(make_line(" " * (label + 2), *one) for one in rest)]


def _render_signs(room: int) -> list[Line]:
    stages = [((f"{sign} ", tone), f"{name}  ") for name, (sign, tone) in theme.STAGE_SIGNS.items()]
    runs = [((f"{sign} ", tone), f"{name}  ") for name, (sign, tone) in theme.RUN_SIGNS.items()]
    verdicts = [((f"{sign} {word}", tone), "  ") for sign, word, tone in theme.VERDICT_SIGNS.values()]
    from factory.tui.rich_text import wrap_line

    rows = (("stages  ", stages), ("runs  ", runs), ("verdicts  ", verdicts))
    made = [
        wrap_line(make_line((name, "dim"), *(part for pair in pairs for part in pair)), room, 2) for name, pairs in rows
    ]
    picture = make_line(("├──●──┤", "accent"), "  a mean with its interval; ", ("┊", "dim"), " marks zero")
    return [*(one for each in made for one in each), *wrap_line(picture, room, 2)]


class HelpScreen(ModalScreen[None]):
    """The keys of the screen below."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,f1,q", "dismiss", "close"),
        Binding("down,j", "down", show=False),
        Binding("up,k", "up", show=False),
    ]

    def __init__(self, page: Page) -> None:
        super().__init__()
        self.page = page

    def compose(self) -> ComposeResult:
        """One sheet."""
        with Vertical(classes="sheet"):
            yield Pages("help", "")

    def on_mount(self) -> None:
        """Fill it."""
        self.query_one(Pages).set_content(lambda room: render_help(self.page, room))
        self.query_one(Pages).focus()


class ConfirmScreen(ModalScreen[bool]):
    """Ask a yes/no question; only `y` confirms."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", "yes"),
        Binding("n,escape,q,enter", "answer(False)", "no"),
    ]

    def __init__(self, message: Sequence[Line]) -> None:
        super().__init__()
        self.message = message

    def compose(self) -> ComposeResult:
        """What is asked."""
        with Vertical(classes="sheet"):
            yield Pages("question", "")

    def on_mount(self) -> None:
        """Say it, and which keys answer."""
        keys = make_line(("y ", "accent"), "yes   ", ("n ", "accent"), "no, leave everything as it is")
        sheet = self.query_one(Pages)
        rows = [*self.message, make_line(), keys]
        sheet.styles.height = len(rows)
        sheet.set_content(lambda room: rows)
        sheet.focus()

    def action_answer(self, yes: bool) -> None:
        """Close with the answer."""
        self.dismiss(yes)


class AskScreen(ModalScreen[str]):
    """Ask for one line of text; returns an empty string when cancelled."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss('')", "leave it")]

    def __init__(self, message: str, value: str = "") -> None:
        super().__init__()
        self.message, self.value = message, value

    def compose(self) -> ComposeResult:
        """The question and a line to answer on."""
        with Vertical(classes="sheet"):
            yield Pages("question", "")
            yield Input(self.value, id="answer", compact=True)

    def on_mount(self) -> None:
        """Say it."""
        sheet = self.query_one(Pages)
        sheet.styles.height = 2
        sheet.set_content(lambda room: wrap_text(self.message, room))
        self.query_one(Input).focus()

    @on(Input.Submitted)
    def _handle_submit(self, event: Input.Submitted) -> None:
        self.dismiss(event.value)
