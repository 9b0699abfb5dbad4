"""The line of screens at the top, the line of panels below it, the line of keys at the bottom."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from textual import events
from textual.strip import Strip
from textual.widget import Widget

from factory.tui.keys import COMMON_KEYS, SCREENS, Key, render_hints
from factory.tui.rich_text import Line, Span, make_line, measure_width, truncate
from factory.tui.widgets.paint import get_brush, render_strip
from factory.tui.widgets.panel import Deck


class _LineWidget(Widget):
    """A widget of one row."""

    def render_spans(self, room: int) -> tuple[list[Span], list[str]]:
        """What stands there, and for each span the action of a click on it, or none."""
        return [], []

    def render_line(self, y: int) -> Strip:
        """The one row."""
        styles = get_brush(self.app)
        spans, _ = self.render_spans(self.size.width)
        return render_strip(tuple(spans) if y == 0 else (), self.size.width, styles, styles["ground"])

    async def on_click(self, event: events.Click) -> None:
        """Do what the span under the pointer is for."""
        left = 0
        for span, action in zip(*self.render_spans(self.size.width), strict=True):
            wide = measure_width((span,))
            if action and left <= event.x < left + wide:
                await self.screen.run_action(action)
            left += wide


class Bar(_LineWidget):
    """` 1 Runs  2 Run [3 Verdict] 4 Compare …`: where one is, and what else there is."""

    def __init__(self, home: Path) -> None:
        super().__init__()
        self.home = home

    def render_spans(self, room: int) -> tuple[list[Span], list[str]]:
        """Names where they fit, numbers where they do not."""
        here = self.app.current_mode
        for names in (True, False):
            spans, actions = [(" factory " if names else " ", "title")], [""]
            for number, name in enumerate(SCREENS, 1):
                word = f"{number} {name.capitalize()}" if names or name == here else f"{number}"
                spans.append((f"[{word}]", "strong") if name == here else (f" {word} ", "dim"))
                actions.append(f"app.page('{name}')")
            if measure_width(tuple(spans)) <= room:
                break
        left = room - measure_width(tuple(spans)) - 3
        home = str(self.home)
        if left >= 16:
            said = truncate(home, left)
            spans += [(" " * (left - measure_width(make_line(said)) + 2), ""), (said, "dim")]
            actions += ["", ""]
        return spans, actions


class Tabs(_LineWidget):
    """The panels by name where not all of them are to be seen; the active one in brackets."""

    def update_visibility(self) -> None:
        """Show it only where it says something."""
        deck = self.screen.query_one(Deck)
        self.display = len(deck.list_shown()) < len(deck.panels)
        self.refresh()

    def render_spans(self, room: int) -> tuple[list[Span], list[str]]:
        """Every panel."""
        deck = self.screen.query_one(Deck)
        spans, actions = [(" tab ⇥ ", "dim")], [""]
        for name in deck.panels:
            title, there = deck.titles[name], name == deck.active
            spans.append((f"[{title}]", "strong") if there else (f" {title} ", "dim"))
            actions.append(f"turn('{name}')")
        return spans, actions


class Hints(_LineWidget):
    """The keys of this screen that are wanted most."""

    def __init__(self, keys: Sequence[Key]) -> None:
        super().__init__()
        self.keys = keys

    def render_spans(self, room: int) -> tuple[list[Span], list[str]]:
        """As many as fit."""
        made: Line = render_hints((*self.keys, *COMMON_KEYS[1:]), room)
        return list(made), ["" for _ in made[:-2]] + ["app.help", "app.help"]
