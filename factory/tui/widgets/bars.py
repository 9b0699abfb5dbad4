"""One-line widgets: the bar of screens at the top, the tabs of panels below it, the key hints at the bottom."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from textual import events
from textual.strip import Strip
from textual.widget import Widget

from factory.tui.keys import COMMON_KEYS, SCREENS, Key, render_hints
from factory.tui.rich_text import Span, make_line, measure_width, truncate
from factory.tui.widgets.paint import get_brush, render_strip
from factory.tui.widgets.panel import Deck

MIN_HOME_WIDTH = 16
"""Cells below which the home folder is left out of the bar."""


class _LineWidget(Widget):
    """A widget of one line whose spans can be clicked."""

    def render_spans(self, width: int) -> tuple[list[Span], list[str]]:
        """Return the spans, and for each of them the action of a click on it; empty for none."""
        raise NotImplementedError

    def render_line(self, y: int) -> Strip:
        """Render the line."""
        styles = get_brush(self.app)
        spans, _ = self.render_spans(self.size.width)
        return render_strip(tuple(spans) if y == 0 else (), self.size.width, styles, styles["ground"])

    async def on_click(self, event: events.Click) -> None:
        """Run the action of the span under the pointer."""
        left = 0
        for span, action in zip(*self.render_spans(self.size.width), strict=True):
            right = left + measure_width((span,))
            if action and left <= event.x < right:
                await self.screen.run_action(action)
            left = right


class Bar(_LineWidget):
    """The screens with the current one in brackets, ` 1 Runs  2 Run [3 Verdict] …`, and the home folder."""

    def __init__(self, home: Path) -> None:
        super().__init__()
        self.home = home

    def render_spans(self, width: int) -> tuple[list[Span], list[str]]:
        """Return the names of the screens; if they do not fit, only the numbers of the others."""
        current = self.app.current_mode
        for with_names in (True, False):
            spans, actions = [(" factory " if with_names else " ", "title")], [""]
            for number, name in enumerate(SCREENS, 1):
                text = f"{number} {name.capitalize()}" if with_names or name == current else f"{number}"
                spans.append((f"[{text}]", "strong") if name == current else (f" {text} ", "dim"))
                actions.append(f"app.page('{name}')")
            used = measure_width(tuple(spans))
            if used <= width:
                break
        left = width - used - 3
        if left >= MIN_HOME_WIDTH:
            home = truncate(str(self.home), left)
            spans += [(" " * (left - measure_width(make_line(home)) + 2), ""), (home, "dim")]
            actions += ["", ""]
        return spans, actions


class Tabs(_LineWidget):
    """The names of the panels, the active one in brackets; shown only while some panels are hidden."""

    def update_visibility(self) -> None:
        """Show the tabs if a panel is hidden."""
        deck = self.screen.query_one(Deck)
        self.display = len(deck.list_shown()) < len(deck.panels)
        self.refresh()

    def render_spans(self, width: int) -> tuple[list[Span], list[str]]:
        """Return the names of all panels."""
        deck = self.screen.query_one(Deck)
        spans, actions = [(" tab ⇥ ", "dim")], [""]
        for name in deck.panels:
            title = deck.titles[name]
            spans.append((f"[{title}]", "strong") if name == deck.active else (f" {title} ", "dim"))
            actions.append(f"turn('{name}')")
        return spans, actions


class Hints(_LineWidget):
    """The most used keys of the screen; a click opens the help."""

    def __init__(self, keys: Sequence[Key]) -> None:
        super().__init__()
        self.keys = keys

    def render_spans(self, width: int) -> tuple[list[Span], list[str]]:
        """Return as many hints as fit."""
        spans = list(render_hints((*self.keys, *COMMON_KEYS[1:]), width))
        # The last two spans are the key and the word of the help hint.
        return spans, [""] * (len(spans) - 2) + ["app.help", "app.help"]
