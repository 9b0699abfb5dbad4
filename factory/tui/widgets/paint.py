"""Conversion of lines of toned spans into Textual strips, in the colours of the current theme."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from factory.tui.rich_text import Line, Span, truncate_line
from factory.tui.theme import DARK, LIGHT, TONES

if TYPE_CHECKING:
    from textual.app import App

Brush = Mapping[str, Style]
"""Tone → style, with `ground` and `cursor` as backgrounds."""
REVERSED = "!"
"""Prefix of the tone of a search hit."""


def _make_brush(colours: Mapping[str, str]) -> Brush:
    styles = {tone: Style.parse(f"{effect} {colours[name]}") for tone, (name, effect) in TONES.items()}
    return {**styles, **{name: Style(bgcolor=colours[name]) for name in ("ground", "cursor")}}


BRUSHES = {True: _make_brush(DARK), False: _make_brush(LIGHT)}
"""Whether the theme is dark → brush."""


def get_brush(app: App[object]) -> Brush:
    """Return the styles of the current theme."""
    return BRUSHES[app.current_theme.dark]


def render_strip(line: Line, width: int, styles: Brush, base: Style, search_text: str = "") -> Strip:
    """Render a line in exactly `width` cells, with occurrences of the searched text reversed."""
    spans = truncate_line(line, width)
    if search_text:
        spans = _reverse_matches(spans, search_text.lower())
    segments = []
    for text, tone in spans:
        style = base + styles.get(tone.removeprefix(REVERSED), styles[""])
        segments.append(Segment(text, style + Style(reverse=True) if tone.startswith(REVERSED) else style))
    return Strip(segments).adjust_cell_length(width, base)


def _reverse_matches(spans: Line, word: str) -> Line:
    """Give every occurrence of a word within a span the reversed tone."""
    marked: list[Span] = []
    for text, tone in spans:
        lower, start = text.lower(), 0
        # Lower case may be longer, as of `İ`: positions would not match, so such a span is left as it is.
        while len(lower) == len(text) and (at := lower.find(word, start)) >= 0:
            marked += [(text[start:at], tone), (text[at : at + len(word)], f"{REVERSED}{tone}")]
            start = at + len(word)
        marked.append((text[start:], tone))
    return tuple(span for span in marked if span[0])
