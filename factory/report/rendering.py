"""Renders the templates of the report and the documentation site: whatever is not `Markup` is escaped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from factory.report.svg import draw_chart
from factory.views.elements import split_cell
from factory.views.formatting import ESCAPE_SEQUENCES, is_control_character


class Section(NamedTuple):
    """A section of a page: the name of its template and anchor, its link in the menu, and its heading."""

    anchor: str
    link: str
    title: str
    body: Markup = Markup("")


def render_page(page: str, sections: Sequence[Section], context: Mapping[str, object]) -> str:
    """Render `page/page.html.jinja` with those sections whose templates have something to show."""
    bodies = (Markup(render_template(f"{page}/{section.anchor}.html.jinja", context)) for section in sections)
    present = [section._replace(body=body) for section, body in zip(sections, bodies, strict=True) if body.strip()]
    return render_template(f"{page}/page.html.jinja", {**context, "sections": present})


def render_template(name: str, context: Mapping[str, object]) -> str:
    """Render one template. Raises UndefinedError if it reads what the context lacks."""
    return ENVIRONMENT.get_template(name).render(context)


def clean_value(value: object) -> object:
    """Return a value without control sequences, control characters and bidi controls; None becomes empty."""
    if value is None or isinstance(value, Markup):
        return value or ""
    bare = ESCAPE_SEQUENCES.sub("", str(value))
    return "".join(c for c in bare if c in "\n\t" or not is_control_character(c))


def mark_code(text: object) -> Markup:
    """Return a text with what stands between backticks as `<code>`; all of it is escaped."""
    parts = str(clean_value(text)).split("`")
    if len(parts) % 2 == 0:  # an odd backtick is one of the text
        return escape(clean_value(text))
    return Markup("").join(Markup("<code>{}</code>").format(p) if i % 2 else escape(p) for i, p in enumerate(parts))


ENVIRONMENT = Environment(
    loader=PackageLoader("factory.report"), autoescape=True, finalize=clean_value, undefined=StrictUndefined,
    trim_blocks=True, lstrip_blocks=True,
)
ENVIRONMENT.filters |= {"draw_chart": draw_chart, "list_parts": split_cell, "mark_code": mark_code}
