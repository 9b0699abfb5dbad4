"""A key, what it does, and how that is said: bindings, the line of hints, help and the palette are made of these."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual.binding import Binding, BindingType

from factory.tui.lines import Line, line, width

NAMES = {
    "question_mark": "?",
    "slash": "/",
    "space": "space",
    "escape": "esc",
    "comma": ",",
    "full_stop": ".",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "less_than_sign": "<",
    "greater_than_sign": ">",
    "left": "←",
    "right": "→",
    "plus": "+",
}


@dataclass(frozen=True, slots=True)
class Key:
    """One or several keys of one action. `hint` is how the bottom line says it, empty for not at all."""

    keys: str
    action: str
    said: str
    hint: str = ""

    @property
    def shown(self) -> str:
        """As it stands on the keyboard."""
        return " ".join(NAMES.get(key, key) for key in self.keys.split(","))

    @property
    def first(self) -> str:
        """The first of them, as it stands on the keyboard."""
        key = self.keys.split(",")[0]
        return NAMES.get(key, key)


COMMON = (
    Key("question_mark,f1", "app.help", "help on this screen", "help"),
    Key("tab", "panel(1)", "next panel"),
    Key("shift+tab", "panel(-1)", "previous panel"),
    Key("slash", "search", "filter the table, or search the text, of the active panel"),
    Key("ctrl+p", "app.command_palette", "every command by name"),
    Key("e", "app.export_csv", "write the active table as CSV"),
    Key("E", "app.export_svg", "write the screen as SVG"),
    Key("T", "app.turn_theme", "light or dark"),
    Key("escape", "back", "clear the filter, or go back"),
    Key("q", "app.quit", "leave; builds go on"),
)
"""Keys that every screen has."""
MOVING = (
    ("↑ ↓ j k", "move"),
    ("pageup pagedown home end", "move far"),
    ("enter", "open what is under the cursor"),
    ("s S", "sort the table by the next column; the other way round"),
    ("1 … 7", "go to a screen"),
)


def bindings(keys: Sequence[Key]) -> list[BindingType]:
    """As Textual wants them."""
    return [Binding(key.keys, key.action, key.said, show=False) for key in keys]


def hints(keys: Sequence[Key], room: int) -> Line:
    """As many as fit, the first ones first; help always."""
    last: Line = line((" ? ", "accent"), ("help", "dim"))
    spans: list[tuple[str, str]] = []
    for key in (k for k in keys if k.hint):
        more = [(f" {key.first} ", "accent"), (f"{key.hint} ", "dim")]
        if width(line(*spans, *more, *last)) > room:
            break
        spans += more
    return line(*spans, *last)
