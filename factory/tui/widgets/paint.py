"""From toned lines to what Textual draws."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from factory.tui.rich_text import Line, truncate_line
from factory.tui.theme import DARK, LIGHT, TONES

if TYPE_CHECKING:
    from textual.app import App

Brush = Mapping[str, Style]


def make_brush(dark: bool) -> Brush:
    """Tone → style, with `ground` and `cursor` as backgrounds."""
    colours = DARK if dark else LIGHT
    styles = {tone: Style.parse(f"{how} {colours[name]}") for tone, (name, how) in TONES.items()}
    return {**styles, "ground": Style(bgcolor=colours["ground"]), "cursor": Style(bgcolor=colours["cursor"])}


BRUSHES = {True: make_brush(True), False: make_brush(False)}


def get_brush(app: App[object]) -> Brush:
    """The styles of the theme in use."""
    return BRUSHES[app.current_theme.dark]


def render_strip(one: Line, wide: int, styles: Brush, base: Style, found: str = "") -> Strip:
    """A line in exactly so many cells; what was searched for is reversed."""
    spans = truncate_line(one, wide)
    if found:
        spans = _reverse_matches(spans, found.lower())
    segments = [Segment(text, base + _get_style(styles, tone)) for text, tone in spans]
    return Strip(segments).adjust_cell_length(wide, base)


def _get_style(styles: Brush, tone: str) -> Style:
    if tone.startswith("!"):
        return _get_style(styles, tone[1:]) + Style(reverse=True)
    return styles.get(tone, styles[""])


def _reverse_matches(spans: Line, word: str) -> Line:
    """The occurrences of a word, within a span, under a tone of their own."""
    made: list[tuple[str, str]] = []
    for text, tone in spans:
        small, start = text.lower(), 0
        while len(small) == len(text) and (at := small.find(word, start)) >= 0:
            made += [(text[start:at], tone), (text[at : at + len(word)], f"!{tone}")]
            start = at + len(word)
        made.append((text[start:], tone))
    return tuple(span for span in made if span[0])
