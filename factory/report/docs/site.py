"""Writes the documentation pages as HTML or Markdown into a folder that works without a server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from markupsafe import Markup

from factory.errors import InputError
from factory.registry.registry import Registry
from factory.report.docs.markdown_pages import build_markdown_pages, build_menu
from factory.report.rendering import render_template

GUIDE_PAGES = {"plugins/README.md": "plugins", "factory/README.md": "engine", "README.md": "index"}


def write_docs_site(folder: Path, registry: Registry, markdown: bool = False) -> int:
    """Write every page and return their number. Raises InputError if the folder holds other files."""
    existing = folder.iterdir() if folder.is_dir() else iter(())
    others = [path.name for path in existing if path.suffix not in (".html", ".md")]
    if others:
        raise InputError(f"{folder} contains {sorted(others)[0]!r}; choose an empty folder, or one with earlier pages")
    folder.mkdir(parents=True, exist_ok=True)
    pages = build_markdown_pages(registry)
    for name, text in pages.items():
        page = text if markdown else render_markdown_page(text, build_menu(registry), pages)
        (folder / f"{name}.{'md' if markdown else 'html'}").write_text(page, encoding="utf-8")
    return len(pages)


def render_markdown_page(text: str, menu: Sequence[tuple[str, str]], known: Mapping[str, str]) -> str:
    """Render a page as HTML. Raw HTML in Markdown is escaped; links to guides and pages lead to the HTML of these."""
    from markdown_it import MarkdownIt

    # Docstrings come from installed packages, so that raw HTML in them is not trusted.
    reader = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = reader.parse(text)
    for link in (child for token in tokens for child in token.children or () if child.type == "link_open"):
        link.attrs["href"] = _find_page_link(str(link.attrs["href"]), known)
    title = next((line.lstrip("# ") for line in text.splitlines() if line.startswith("# ")), "factory")
    body = Markup(reader.renderer.render(tokens, reader.options, {}))
    return render_template("docs.html.jinja", {"title": title, "menu": menu, "body": body})


def _find_page_link(link: str, known: Mapping[str, str]) -> str:
    """Return the address of the HTML page of a linked Markdown page or guide; other links stay as they are."""
    path, mark, anchor = link.partition("#")
    name = GUIDE_PAGES.get(path, path.removesuffix(".md"))
    return f"{name}.html{mark}{anchor}" if path.endswith(".md") and name in known else link
