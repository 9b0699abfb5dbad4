"""The tabular list of ICD-10-CM as XML: its codes, in order, each with its parents and its inclusion terms."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast
from xml.etree.ElementTree import Element, ParseError, XMLPullParser

RANGE = re.compile(r"\s*\([A-Z]\w\w(-[A-Z]\w\w)?\)$")


@dataclass(slots=True)
class Code:
    """One code. `parents` are descriptions, the category's first; `phrases` are inclusion terms with their lines.

    `chapter` is the description of its chapter, without the range of codes.
    """

    line: int
    name: str = ""
    description: str = ""
    parents: tuple[str, ...] = ()
    phrases: list[tuple[str, int]] = field(default_factory=list)
    chapter: str = ""

    @property
    def category(self) -> str:
        """The three characters that a family of codes shares."""
        return self.name[:3]


def read_tabular(path: Path) -> list[Code]:
    """Every code of the list, in its order. Raises ValueError that names the line of broken XML."""
    walk = _Walk()
    for number, event, element in _events(path):
        walk.take(number, event, element)
    return walk.codes


def _events(path: Path) -> Iterator[tuple[int, str, Element]]:
    """Starts and ends of elements with their line: the file is fed line by line, which is what knows the number."""
    parser: XMLPullParser[Element] = XMLPullParser(("start", "end"))
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                parser.feed(line)
                found = cast(list[tuple[str, Element]], list(parser.read_events()))
            except ParseError as error:
                raise ValueError(f"{path.name}:{number}: {error}") from error
            for event, element in found:
                yield number, event, element


class _Walk:
    """Where the reading stands: the tags that are open, and the codes that are."""

    def __init__(self) -> None:
        self.codes: list[Code] = []
        self._tags: list[str] = []
        self._open: list[Code] = []
        self._chapter = ""

    def take(self, line: int, event: str, element: Element) -> None:
        if event == "start":
            self._tags.append(element.tag)
            if element.tag == "diag":
                self._open.append(Code(line, parents=tuple(code.description for code in self._open)))
                self._open[-1].chapter = self._chapter
                self.codes.append(self._open[-1])
            return
        self._tags.pop()
        if element.tag == "diag":
            self._open.pop()
        elif self._open:
            self._fill(self._open[-1], line, element)
        elif self._tags[-1:] == ["chapter"] and element.tag == "desc":
            self._chapter = RANGE.sub("", _text(element))
        element.clear()

    def _fill(self, code: Code, line: int, element: Element) -> None:
        text = _text(element)
        match (self._tags[-1], element.tag):
            case ("diag", "name"):
                code.name = text
            case ("diag", "desc"):
                code.description = text
            case ("inclusionTerm", "note"):
                code.phrases.append((text, line))


def _text(element: Element) -> str:
    """What stands in an element, on one line."""
    return " ".join((element.text or "").split())
