"""Documents as blocks: paragraphs and headings, each with the line where it begins. Markdown, plain text, HTML.

Lines end with a line feed alone, as editors count them: other separators that Unicode knows are text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from html.parser import HTMLParser

HEADING = re.compile(r" {0,3}(#{1,6})(?:\s+(.*?))?(?:\s+#+)?\s*$")
UNDERLINE = re.compile(r" {0,3}(=+|-+)\s*$")
FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
BLOCKS = frozenset({
    "address", "article", "aside", "blockquote", "br", "body", "dd", "div", "dl", "dt", "fieldset", "figcaption",
    "figure", "footer", "form", "header", "hr", "li", "main", "nav", "ol", "p", "pre", "section", "table", "tr", "ul",
})
HIDDEN = frozenset({"script", "style", "template", "noscript", "svg", "head"})
CELLS = frozenset({"td", "th"})


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, or with a `level` above 0 a heading."""

    line: int
    text: str
    level: int = 0


def markdown(text: str) -> Iterator[Block]:
    """Paragraphs stay as they are written; a fenced block of code is one. Front matter is left out."""
    lines = text.split("\n")
    found: list[str] = []
    start, fence = _after_front_matter(lines), ""
    for place in range(start, len(lines)):
        line, mark = lines[place], FENCE.match(lines[place])
        if fence:
            found.append(line)
            fence = "" if line.strip().startswith(fence) and not line.strip().strip(fence[0]) else fence
        elif mark:
            fence = mark[1]
            found.append(line)
        elif heading := HEADING.fullmatch(line):
            yield from _paragraph(found, place)
            yield Block(place + 1, heading[2] or "", len(heading[1]))
            found = []
        elif len(found) == 1 and UNDERLINE.fullmatch(line):
            yield Block(place, found[0].strip(), 1 if "=" in line else 2)
            found = []
        elif line.strip():
            found.append(line)
        else:
            yield from _paragraph(found, place)
            found = []
    yield from _paragraph(found, len(lines))


def plain_text(text: str) -> Iterator[Block]:
    """Paragraphs are what empty lines part."""
    found: list[str] = []
    lines = text.split("\n")
    for place, line in enumerate(lines):
        if line.strip():
            found.append(line)
        else:
            yield from _paragraph(found, place)
            found = []
    yield from _paragraph(found, len(lines))


def html(text: str) -> Iterator[Block]:
    """What a browser shows, without tags. The title comes first, as a heading of level 0 would: see `title`."""
    reader = _Html()
    reader.feed(text)
    reader.close()
    reader.end()
    yield from reader.blocks


def title(text: str) -> str:
    """The title of an HTML document, or nothing."""
    found = re.search(r"<title[^>]*>(.*?)</title>", text, re.IGNORECASE | re.DOTALL)
    return " ".join(_unescaped(found[1]).split()) if found else ""


READERS: Mapping[str, Callable[[str], Iterator[Block]]] = {
    ".md": markdown, ".markdown": markdown, ".txt": plain_text, ".html": html, ".htm": html,
}


class _Html(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.blocks: list[Block] = []
        self._text: list[str] = []
        self._line = self._level = self._hidden = self._kept = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in HIDDEN:
            self._hidden += 1
        elif tag == "body":
            self._hidden = 0  # the head may never have been closed
        if tag in BLOCKS or _level(tag):
            self.end()
            self._level = _level(tag)
            self._kept += tag == "pre"
        elif tag in CELLS and self._text:
            self._text.append(" ")

    def handle_endtag(self, tag: str) -> None:
        if tag in HIDDEN:
            self._hidden = max(0, self._hidden - 1)
        if tag in BLOCKS or _level(tag):
            self.end()
            self._kept = max(0, self._kept - (tag == "pre"))

    def handle_data(self, data: str) -> None:
        if self._hidden:
            return
        if not self._text:
            bare = data if self._kept else data.lstrip()
            self._line = self.getpos()[0] + data[: len(data) - len(bare)].count("\n")
            data = bare
        if data:
            self._text.append(data)

    def end(self) -> None:
        """End the block that is being read."""
        text = "".join(self._text)
        text = text.strip("\n") if self._kept else " ".join(text.split())
        if text.strip():
            self.blocks.append(Block(self._line, text, self._level))
        self._text, self._level = [], 0


def _level(tag: str) -> int:
    return int(tag[1]) if len(tag) == 2 and tag[0] == "h" and tag[1] in "123456" else 0


def _unescaped(text: str) -> str:
    from html import unescape

    return unescape(text)


def _paragraph(lines: list[str], end: int) -> Iterator[Block]:
    """The lines before the line `end`, counted from 0, as one block; nothing when there are none."""
    if lines:
        yield Block(end - len(lines) + 1, "\n".join(lines).strip())


def _after_front_matter(lines: list[str]) -> int:
    if lines and lines[0].strip() == "---":
        for place, line in enumerate(lines[1:], 1):
            if line.strip() in ("---", "..."):
                return place + 1
    return 0
