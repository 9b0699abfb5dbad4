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

from factory.tui import look
from factory.tui.keys import COMMON, MOVING
from factory.tui.lines import Line, line, wrapped
from factory.tui.widgets.pages import Pages

if TYPE_CHECKING:
    from factory.tui.screens.base import Page

LABEL = 26


def lines_of(page: Page, room: int) -> list[Line]:
    """What a screen is for, its keys, the keys of every screen, and what the signs mean."""
    found = [*wrapped(page.ABOUT, room), line()]
    own = [(key.shown, key.said) for key in page.KEYS]
    common = [(key.shown, key.said) for key in COMMON]
    for title, pairs in (("Here", own), ("Everywhere", [*MOVING, *common])):
        found += [line((title, "title")), *(each for pair in pairs for each in _key(*pair, room)), line()]
    return [*found, line(("Signs", "title")), *_signs(room)]


def _key(key: str, said: str, room: int) -> list[Line]:
    label = min(LABEL, room // 3)
    first, *rest = wrapped(said, room - label - 2)
    lines = [line((f"{key:<{label}}", "accent"), "  ", *first)]
    return [*lines, *(line(" " * (label + 2), *one) for one in rest)]


def _signs(room: int) -> list[Line]:
    stages = [((f"{sign} ", tone), f"{name}  ") for name, (sign, tone) in look.STAGES.items()]
    runs = [((f"{sign} ", tone), f"{name}  ") for name, (sign, tone) in look.RUNS.items()]
    verdicts = [((f"{sign} {word}", tone), "  ") for sign, word, tone in look.VERDICTS.values()]
    from factory.tui.lines import wrap

    rows = (("stages  ", stages), ("runs  ", runs), ("verdicts  ", verdicts))
    made = [wrap(line((name, "dim"), *(part for pair in pairs for part in pair)), room, 2) for name, pairs in rows]
    picture = line(("├──●──┤", "accent"), "  a mean with its interval; ", ("┊", "dim"), " marks zero")
    return [*(one for each in made for one in each), *wrap(picture, room, 2)]


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
        self.query_one(Pages).tell(lambda room: lines_of(self.page, room))
        self.query_one(Pages).focus()


class ConfirmScreen(ModalScreen[bool]):
    """A question: `y` does it, every other way out does not."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", "yes"),
        Binding("n,escape,q,enter", "answer(False)", "no"),
    ]

    def __init__(self, said: Sequence[Line]) -> None:
        super().__init__()
        self.said = said

    def compose(self) -> ComposeResult:
        """What is asked."""
        with Vertical(classes="sheet"):
            yield Pages("question", "")

    def on_mount(self) -> None:
        """Say it, and which keys answer."""
        keys = line(("y ", "accent"), "yes   ", ("n ", "accent"), "no, leave everything as it is")
        sheet = self.query_one(Pages)
        rows = [*self.said, line(), keys]
        sheet.styles.height = len(rows)
        sheet.tell(lambda room: rows)
        sheet.focus()

    def action_answer(self, yes: bool) -> None:
        """Close with the answer."""
        self.dismiss(yes)


class AskScreen(ModalScreen[str]):
    """One line that is asked for; empty when a person thought better of it."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss('')", "leave it")]

    def __init__(self, said: str, value: str = "") -> None:
        super().__init__()
        self.said, self.value = said, value

    def compose(self) -> ComposeResult:
        """The question and a line to answer on."""
        with Vertical(classes="sheet"):
            yield Pages("question", "")
            yield Input(self.value, id="answer", compact=True)

    def on_mount(self) -> None:
        """Say it."""
        sheet = self.query_one(Pages)
        sheet.styles.height = 2
        sheet.tell(lambda room: wrapped(self.said, room))
        self.query_one(Input).focus()

    @on(Input.Submitted)
    def _answered(self, event: Input.Submitted) -> None:
        self.dismiss(event.value)
