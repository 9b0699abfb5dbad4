"""Documents as blocks: paragraphs and headings, each with the line where it begins. Markdown, plain text, HTML.

Lines end with a line feed alone, as editors count them: other separators that Unicode knows are text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from html.parser import HTMLParser

MARKDOWN_HEADING_PATTERN = re.compile(r" {0,3}(#{1,6})(?:\s+(.*?))?(?:\s+#+)?\s*$")
SETEXT_UNDERLINE_PATTERN = re.compile(r" {0,3}(=+|-+)\s*$")
CODE_FENCE_PATTERN = re.compile(r" {0,3}(`{3,}|~{3,})")
BLOCK_TAGS = frozenset({
    "address", "article", "aside", "blockquote", "br", "body", "dd", "div", "dl", "dt", "fieldset", "figcaption",
    "figure", "footer", "form", "header", "hr", "li", "main", "nav", "ol", "p", "pre", "section", "table", "tr", "ul",
})
HIDDEN_TAGS = frozenset({"script", "style", "template", "noscript", "svg", "head"})
CELL_TAGS = frozenset({"td", "th"})


@dataclass(frozen=True, slots=True)
class DocumentBlock:
    """A paragraph, or with a `level` above 0 a heading."""

    line: int
    text: str
    level: int = 0


def parse_markdown_blocks(text: str) -> Iterator[DocumentBlock]:
    """Paragraphs stay as they are written; a fenced block of code is one. Front matter is left out."""
    lines = text.split("\n")
    found: list[str] = []
    start, fence = _find_front_matter_end(lines), ""
    for place in range(start, len(lines)):
        line, mark = lines[place], CODE_FENCE_PATTERN.match(lines[place])
        if fence:
            found.append(line)
            fence = "" if line.strip().startswith(fence) and not line.strip().strip(fence[0]) else fence
        elif mark:
            fence = mark[1]
            found.append(line)
        elif heading := MARKDOWN_HEADING_PATTERN.fullmatch(line):
            yield from _build_paragraph(found, place)
            yield DocumentBlock(place + 1, heading[2] or "", len(heading[1]))
            found = []
        elif len(found) == 1 and SETEXT_UNDERLINE_PATTERN.fullmatch(line):
            yield DocumentBlock(place, found[0].strip(), 1 if "=" in line else 2)
            found = []
        elif line.strip():
            found.append(line)
        else:
            yield from _build_paragraph(found, place)
            found = []
    yield from _build_paragraph(found, len(lines))


def parse_plain_text_blocks(text: str) -> Iterator[DocumentBlock]:
    """Paragraphs are what empty lines part."""
    found: list[str] = []
    lines = text.split("\n")
    for place, line in enumerate(lines):
        if line.strip():
            found.append(line)
        else:
            yield from _build_paragraph(found, place)
            found = []
    yield from _build_paragraph(found, len(lines))


def parse_html_blocks(text: str) -> Iterator[DocumentBlock]:
    """What a browser shows, without tags. The title comes first, as a heading of level 0 would: see `title`."""
    reader = _HtmlBlockParser()
    reader.feed(text)
    reader.close()
    reader.flush_block()
    yield from reader.blocks


def read_html_title(text: str) -> str:
    """The title of an HTML document, or nothing."""
    found = re.search(r"<title[^>]*>(.*?)</title>", text, re.IGNORECASE | re.DOTALL)
    return " ".join(_unescape_html(found[1]).split()) if found else ""


BLOCK_PARSERS: Mapping[str, Callable[[str], Iterator[DocumentBlock]]] = {
    ".md": parse_markdown_blocks, ".markdown": parse_markdown_blocks, ".txt": parse_plain_text_blocks,
    ".html": parse_html_blocks, ".htm": parse_html_blocks,
}


class _HtmlBlockParser(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.blocks: list[DocumentBlock] = []
        self._text: list[str] = []
        self._line = self._level = self._hidden_depth = self._preformatted_depth = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in HIDDEN_TAGS:
            self._hidden_depth += 1
        elif tag == "body":
            self._hidden_depth = 0  # the head may never have been closed
        if tag in BLOCK_TAGS or _parse_heading_level(tag):
            self.flush_block()
            self._level = _parse_heading_level(tag)
            self._preformatted_depth += tag == "pre"
        elif tag in CELL_TAGS and self._text:
            self._text.append(" ")

    def handle_endtag(self, tag: str) -> None:
        if tag in HIDDEN_TAGS:
            self._hidden_depth = max(0, self._hidden_depth - 1)
        if tag in BLOCK_TAGS or _parse_heading_level(tag):
            self.flush_block()
            self._preformatted_depth = max(0, self._preformatted_depth - (tag == "pre"))

    def handle_data(self, data: str) -> None:
        if self._hidden_depth:
            return
        if not self._text:
            bare = data if self._preformatted_depth else data.lstrip()
            self._line = self.getpos()[0] + data[: len(data) - len(bare)].count("\n")
            data = bare
        if data:
            self._text.append(data)

    def flush_block(self) -> None:
        """End the block that is being read."""
        text = "".join(self._text)
        text = text.strip("\n") if self._preformatted_depth else " ".join(text.split())
        if text.strip():
            self.blocks.append(DocumentBlock(self._line, text, self._level))
        self._text, self._level = [], 0


def _parse_heading_level(tag: str) -> int:
    return int(tag[1]) if len(tag) == 2 and tag[0] == "h" and tag[1] in "123456" else 0


def _unescape_html(text: str) -> str:
    from html import unescape

    return unescape(text)


def _build_paragraph(lines: list[str], end: int) -> Iterator[DocumentBlock]:
    """The lines before the line `end`, counted from 0, as one block; nothing when there are none."""
    if lines:
        yield DocumentBlock(end - len(lines) + 1, "\n".join(lines).strip())


def _find_front_matter_end(lines: list[str]) -> int:
    if lines and lines[0].strip() == "---":
        for place, line in enumerate(lines[1:], 1):
            if line.strip() in ("---", "..."):
                return place + 1
    return 0
