"""Key bindings with their descriptions, shared by the bindings, the footer, the help and the command palette."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual.binding import Binding, BindingType

from factory.tui.rich_text import Line, make_line, measure_width

SCREENS = ("runs", "run", "verdict", "compare", "try", "review", "specialists")
"""The screens in the order of their number keys, from 1."""
KEY_LABELS = {
    "question_mark": "?", "slash": "/", "space": "space", "escape": "esc", "comma": ",", "full_stop": ".", "plus": "+",
    "left_square_bracket": "[", "right_square_bracket": "]", "less_than_sign": "<", "greater_than_sign": ">",
    "left": "←", "right": "→",
}
"""Textual's key name → label on the keyboard."""


@dataclass(frozen=True, slots=True)
class Key:
    """One or several keys of an action. `hint` is its label in the footer; without one it is not shown there."""

    keys: str
    action: str
    description: str
    hint: str = ""

    @property
    def label(self) -> str:
        """All keys as labelled on the keyboard."""
        return " ".join(KEY_LABELS.get(key, key) for key in self.keys.split(","))

    @property
    def first_label(self) -> str:
        """The first key as labelled on the keyboard."""
        return self.label.split()[0]


COMMON_KEYS = (
    Key("question_mark,f1", "app.help", "help on this screen", "help"),
    Key("tab", "panel(1)", "next panel"),
    Key("shift+tab", "panel(-1)", "previous panel"),
    Key("slash", "search", "filter the active table, or search the active text"),
    Key("ctrl+p", "app.command_palette", "command palette"),
    Key("e", "app.export_csv", "export the active table as CSV"),
    Key("E", "app.export_svg", "export the screen as SVG"),
    Key("T", "app.toggle_theme", "switch between the light and the dark theme"),
    Key("escape", "back", "clear the filter, or go back"),
    Key("q", "app.quit", "quit; builds keep running"),
)
"""Keys of every screen."""
MOVEMENT_KEYS = (
    ("↑ ↓ j k", "move the cursor"),
    ("pageup pagedown home end", "move by a page, or to the start or the end"),
    ("enter", "open the selected row"),
    ("s S", "sort by the next column; reverse the order"),
    ("1 … 7", "go to a screen"),
)


def make_bindings(keys: Sequence[Key]) -> list[BindingType]:
    """Return Textual bindings for keys."""
    return [Binding(key.keys, key.action, key.description, show=False) for key in keys]


def render_hints(keys: Sequence[Key], width: int) -> Line:
    """Return the footer: as many hints as fit, in order, and always the one for help."""
    help_hint: Line = make_line((" ? ", "accent"), ("help", "dim"))
    spans: list[tuple[str, str]] = []
    for key in (key for key in keys if key.hint):
        hint = [(f" {key.first_label} ", "accent"), (f"{key.hint} ", "dim")]
        # Room for the help hint is reserved, as it leads to all other keys.
        if measure_width(make_line(*spans, *hint, *help_hint)) > width:
            break
        spans += hint
    return make_line(*spans, *help_hint)
