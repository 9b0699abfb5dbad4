"""Parsers of Markdown, plain text and HTML into blocks: paragraphs and headings with their first lines.

Only a line feed ends a line, as editors count them; other Unicode line separators are text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from html import unescape
from html.parser import HTMLParser
from itertools import groupby

from factory_sources.html_markup import simplify_markup

MARKDOWN_HEADING_PATTERN = re.compile(r" {0,3}(#{1,6})(?=\s|$)")
TITLE_START_PATTERN, TITLE_END_PATTERN = re.compile(r"<title", re.IGNORECASE), re.compile(r"</title>", re.IGNORECASE)
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
    """Yield paragraphs as written, and headings; a fenced code block is a paragraph. Front matter is skipped."""
    lines = text.split("\n")
    paragraph: list[str] = []
    front_matter_ends = (number for number, line in enumerate(lines[1:], 2) if line.strip() in ("---", "..."))
    start, fence = next(front_matter_ends, 0) if lines[0].strip() == "---" else 0, ""
    for number in range(start, len(lines)):
        line, mark = lines[number], CODE_FENCE_PATTERN.match(lines[number])
        if fence:
            paragraph.append(line)
            # A fence closes with at least as many of its own marks, and nothing else on the line.
            fence = "" if line.strip().startswith(fence) and not line.strip().strip(fence[0]) else fence
        elif mark:
            fence = mark[1]
            paragraph.append(line)
        elif heading := MARKDOWN_HEADING_PATTERN.match(line):
            yield from _build_paragraph(paragraph, number)
            yield DocumentBlock(number + 1, _strip_closing_marks(line[heading.end() :]), len(heading[1]))
            paragraph = []
        # Underlined heading: only the single line above it is the heading.
        elif len(paragraph) == 1 and SETEXT_UNDERLINE_PATTERN.fullmatch(line):
            yield DocumentBlock(number, paragraph[0].strip(), 1 if "=" in line else 2)
            paragraph = []
        elif line.strip():
            paragraph.append(line)
        else:
            yield from _build_paragraph(paragraph, number)
            paragraph = []
    yield from _build_paragraph(paragraph, len(lines))


def parse_plain_text_blocks(text: str) -> Iterator[DocumentBlock]:
    """Yield paragraphs, separated by empty lines."""
    numbered = enumerate(text.split("\n"), 1)
    for has_text, group in groupby(numbered, key=lambda item: bool(item[1].strip())):
        if has_text:
            lines = list(group)
            yield DocumentBlock(lines[0][0], "\n".join(line for _, line in lines).strip())


def parse_html_blocks(text: str) -> Iterator[DocumentBlock]:
    """Yield the visible text without tags; `read_html_title` returns the title."""
    reader = _HtmlBlockParser()
    reader.feed(simplify_markup(text))
    reader.close()
    reader.flush_block()
    yield from reader.blocks


def read_html_title(text: str) -> str:
    """Return the title of an HTML document, or an empty text."""
    start = TITLE_START_PATTERN.search(text)
    begin = text.find(">", start.end()) if start else -1
    end = TITLE_END_PATTERN.search(text, begin) if begin >= 0 else None
    return " ".join(unescape(text[begin + 1 : end.start()]).split()) if end else ""


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
            self._hidden_depth = 0  # the closing tag of head is optional
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
            # The first data of a block may start with blank lines: its line is that of the first visible character.
            visible = data if self._preformatted_depth else data.lstrip()
            self._line = self.getpos()[0] + data[: len(data) - len(visible)].count("\n")
            data = visible
        if data:
            self._text.append(data)

    def flush_block(self) -> None:
        """End the current block, and start the next one."""
        text = "".join(self._text)
        text = text.strip("\n") if self._preformatted_depth else " ".join(text.split())
        if text.strip():
            self.blocks.append(DocumentBlock(self._line, text, self._level))
        self._text, self._level = [], 0


def _strip_closing_marks(text: str) -> str:
    """Return the text of a heading without the `#` that may close it after a blank."""
    text = text.strip()
    bare = text.rstrip("#")
    return bare.rstrip() if bare and bare[-1:].isspace() else text


def _parse_heading_level(tag: str) -> int:
    return int(tag[1]) if len(tag) == 2 and tag[0] == "h" and tag[1] in "123456" else 0


def _build_paragraph(lines: list[str], end: int) -> Iterator[DocumentBlock]:
    """Yield the lines that end before line `end`, counted from 0, as one block; nothing if there are none."""
    if lines:
        yield DocumentBlock(end - len(lines) + 1, "\n".join(lines).strip())
