"""HTML that can not be injected into: text is escaped unless it was made here."""

from __future__ import annotations

import html
import unicodedata

from factory.views.formatting import BIDI_CONTROLS, ESCAPE_SEQUENCES

VOID_ELEMENTS = frozenset({"meta", "br", "hr", "line", "circle", "rect", "path"})


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


Child = object
"""Markup goes in as it is; None and False leave nothing; anything else is escaped as text."""


def escape_markup(value: Child) -> Markup:
    """Any value as safe HTML text: control sequences, control characters and changes of direction are dropped."""
    if isinstance(value, Markup):
        return value
    if value is None or value is False:
        return Markup("")
    bare = ESCAPE_SEQUENCES.sub("", str(value))
    kept = "".join(c for c in bare if c in "\n\t" or (unicodedata.category(c) not in ("Cc", "Cs") and c not in BIDI_CONTROLS))
    return Markup(html.escape(kept, quote=True))


def join_markup(*children: Child) -> Markup:
    """Children one after another."""
    return Markup("".join(escape_markup(child) for child in children))


def render_element(name: str, /, *children: Child, **attributes: object) -> Markup:
    """An element. In an attribute's name a last underscore goes, others are dashes; None and False leave it out."""
    said = "".join(
        f' {_format_attribute_name(key)}="{escape_markup(value)}"'
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    if name in VOID_ELEMENTS:
        return Markup(f"<{name}{said}/>")
    return Markup(f"<{name}{said}>{join_markup(*children)}</{name}>")


def _format_attribute_name(key: str) -> str:
    return key.rstrip("_").replace("_", "-") if key != "viewBox" else key


def render_html_table(heads: list[Child], rows: list[list[Child]], numbers: tuple[int, ...] = ()) -> Markup:
    """A table; the columns in `numbers` are set as numbers."""

    def cell(name: str, value: Child, column: int) -> Markup:
        return render_element(name, value, class_="n" if column in numbers else None)

    top = render_element("tr", *(cell("th", head, i) for i, head in enumerate(heads)))
    body = [render_element("tr", *(cell("td", value, i) for i, value in enumerate(row))) for row in rows]
    return render_element("div", render_element("table", render_element("thead", top), render_element("tbody", *body)), class_="wide")


def render_section(title: str, anchor: str, *children: Child) -> Markup:
    """A part of the page under a heading; nothing when nothing is in it."""
    inner = join_markup(*children)
    return render_element("section", render_element("h2", title), inner, id=anchor) if inner else Markup("")


def render_fact_list(pairs: list[tuple[str, Child]]) -> Markup:
    """Names and values, those without a value left out."""
    kept = [(name, value) for name, value in pairs if value not in (None, "")]
    return render_element("dl", *(render_element("div", render_element("dt", name), render_element("dd", value)) for name, value in kept)) if kept else Markup("")
