"""The line of screens at the top, the line of panels below it, the line of keys at the bottom."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from textual import events
from textual.strip import Strip
from textual.widget import Widget

from factory.tui.keys import COMMON, hints
from factory.tui.lines import Line, Span, line, shorten, width
from factory.tui.widgets.paint import brush_of, strip
from factory.tui.widgets.panel import Deck

if TYPE_CHECKING:
    from factory.tui.app import FactoryApp
    from factory.tui.screens.base import Page

SCREENS = ("runs", "run", "verdict", "compare", "try", "review", "specialists")
"""The screens by their number, from 1."""


class _OneLine(Widget):
    """A widget of one row."""

    def spans(self, room: int) -> tuple[list[Span], list[str]]:
        """What stands there, and for each span the action of a click on it, or none."""
        return [], []

    def render_line(self, y: int) -> Strip:
        """The one row."""
        styles = brush_of(self.app)
        spans, _ = self.spans(self.size.width)
        return strip(tuple(spans) if y == 0 else (), self.size.width, styles, styles["ground"])

    async def on_click(self, event: events.Click) -> None:
        """Do what the span under the pointer is for."""
        left = 0
        for span, action in zip(*self.spans(self.size.width), strict=True):
            wide = width((span,))
            if action and left <= event.x < left + wide:
                await self.screen.run_action(action)
            left += wide


class Bar(_OneLine):
    """` 1 Runs  2 Run [3 Verdict] 4 Compare …`: where one is, and what else there is."""

    def spans(self, room: int) -> tuple[list[Span], list[str]]:
        """Names where they fit, numbers where they do not."""
        app = cast("FactoryApp", self.app)
        here = app.current_mode
        for names in (True, False):
            spans, actions = [(" factory " if names else " ", "title")], [""]
            for number, name in enumerate(SCREENS, 1):
                word = f"{number} {name.capitalize()}" if names or name == here else f"{number}"
                spans.append((f"[{word}]", "strong") if name == here else (f" {word} ", "dim"))
                actions.append(f"app.page('{name}')")
            if width(tuple(spans)) <= room:
                break
        left = room - width(tuple(spans)) - 3
        home = str(app.world.home)
        if left >= 16:
            said = shorten(home, left)
            spans += [(" " * (left - width(line(said)) + 2), ""), (said, "dim")]
            actions += ["", ""]
        return spans, actions


class Tabs(_OneLine):
    """The panels by name where not all of them are to be seen; the active one in brackets."""

    def again(self) -> None:
        """Show it only where it says something."""
        deck = self.screen.query_one(Deck)
        self.display = len(deck.shown()) < len(deck.panels)
        self.refresh()

    def spans(self, room: int) -> tuple[list[Span], list[str]]:
        """Every panel."""
        deck = self.screen.query_one(Deck)
        spans, actions = [(" tab ⇥ ", "dim")], [""]
        for name in deck.panels:
            title, there = deck.titles[name], name == deck.active
            spans.append((f"[{title}]", "strong") if there else (f" {title} ", "dim"))
            actions.append(f"turn('{name}')")
        return spans, actions


class Hints(_OneLine):
    """The keys of this screen that are wanted most."""

    def spans(self, room: int) -> tuple[list[Span], list[str]]:
        """As many as fit."""
        page = cast("Page", self.screen)
        made: Line = hints((*page.KEYS, *COMMON[1:]), room)
        return list(made), ["" for _ in made[:-2]] + ["app.help", "app.help"]
