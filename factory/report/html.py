"""HTML builder that is safe against injection: everything but `Markup` is escaped."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence

from factory.views.formatting import ESCAPE_SEQUENCES, is_control_character

VOID_ELEMENTS = frozenset({"meta", "br", "hr", "line", "circle", "rect", "path"})


class Markup(str):
    """A string that is already HTML and is not escaped again."""

    __slots__ = ()


Child = object
"""A child of an element: Markup is kept as it is, None and False are skipped, anything else is escaped."""


def escape_markup(value: Child) -> Markup:
    """Return any value as safe HTML; control sequences, control characters and bidi controls are removed."""
    if isinstance(value, Markup):
        return value
    if value is None or value is False:
        return Markup("")
    bare = ESCAPE_SEQUENCES.sub("", str(value))
    text = "".join(c for c in bare if c in "\n\t" or not is_control_character(c))
    return Markup(html.escape(text, quote=True))


def join_markup(*children: Child) -> Markup:
    """Concatenate children."""
    return Markup("".join(escape_markup(child) for child in children))


def render_element(name: str, /, *children: Child, **attributes: object) -> Markup:
    """Render an element.

    In attribute names a trailing underscore is removed and others become dashes (`class_`, `aria_label`); attributes
    that are None or False are omitted.
    """
    rendered = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape_markup(value)}"'
        for key, value in attributes.items() if value is not None and value is not False
    )
    if name in VOID_ELEMENTS:
        return Markup(f"<{name}{rendered}/>")
    return Markup(f"<{name}{rendered}>{join_markup(*children)}</{name}>")


def render_html_table(heads: Sequence[Child], rows: Sequence[Sequence[Child]], numbers: Sequence[int] = ()) -> Markup:
    """Render a table, empty without rows; columns whose index is in `numbers` are right-aligned."""

    def render_row(name: str, values: Sequence[Child]) -> Markup:
        cells = (render_element(name, v, class_="n" if i in numbers else None) for i, v in enumerate(values))
        return render_element("tr", *cells)

    if not rows:
        return Markup("")
    body = render_element("tbody", *(render_row("td", row) for row in rows))
    table = render_element("table", render_element("thead", render_row("th", heads)), body)
    return render_element("div", table, class_="wide")


def render_section(title: str, anchor: str, *children: Child) -> Markup:
    """Render a section with a heading; empty if it has no content."""
    inner = join_markup(*children)
    return render_element("section", render_element("h2", title), inner, id=anchor) if inner else Markup("")


def render_subsection(title: str, *children: Child) -> Markup:
    """Render content under a heading; empty if it has none."""
    inner = join_markup(*children)
    return join_markup(render_element("h3", title), inner) if inner else Markup("")


def render_fact_list(facts: Mapping[str, Child]) -> Markup:
    """Render names and values as a description list; facts with an empty value are omitted."""
    items = [
        render_element("div", render_element("dt", name), render_element("dd", value))
        for name, value in facts.items() if value not in (None, "")
    ]
    return render_element("dl", *items) if items else Markup("")
