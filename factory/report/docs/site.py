"""Writes the documentation pages as HTML or Markdown into a folder that works without a server."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from factory.errors import InputError
from factory.registry.registry import Registry
from factory.report.docs.markdown_pages import build_markdown_pages, build_menu

PAGE_LINK = re.compile(r'(href=")([\w-]+)\.md(#[\w-]*)?"')
GUIDE_PAGES = {"plugins/README.md": "plugins", "factory/README.md": "engine", "README.md": "index"}
PAGE_TEMPLATE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ max-width: 56rem; margin: 2rem auto; padding: 0 1rem; font: 16px/1.5 system-ui, sans-serif; color: #222 }}
nav a {{ margin-right: .8rem; white-space: nowrap }} a {{ color: #05c }}
pre {{ background: #f5f5f4; padding: .8rem; overflow-x: auto }} code {{ font-size: .9em }}
table {{ border-collapse: collapse; display: block; overflow-x: auto }}
th, td {{ text-align: left; vertical-align: top; padding: .3rem .7rem; border-bottom: 1px solid #ddd }}
</style>
<nav>{menu}</nav><main>
{body}</main></html>
"""


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


def render_markdown_page(text: str, entries: Sequence[tuple[str, str]], known: Mapping[str, str]) -> str:
    """Render a page as HTML. Raw HTML in Markdown is escaped; links to guides are redirected to their pages."""
    from markdown_it import MarkdownIt

    for path, page in GUIDE_PAGES.items():
        text = text.replace(f"]({path})", f"]({page}.md)")
    # Docstrings come from installed packages, so that raw HTML in them is not trusted.
    body = MarkdownIt("commonmark", {"html": False}).enable("table").render(text)
    body = PAGE_LINK.sub(lambda m: f'{m[1]}{m[2]}.html{m[3] or ""}"' if m[2] in known else m[0], body)
    title = next((line.lstrip("# ") for line in text.splitlines() if line.startswith("# ")), "factory")
    links = "".join(f'<a href="{name}.html">{html.escape(label)}</a>' for name, label in entries)
    return PAGE_TEMPLATE.format(title=html.escape(title), menu=links, body=body)
