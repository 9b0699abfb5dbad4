"""Parser of the XML tabular list of ICD-10-CM: codes in order, each with its parents and inclusion terms."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast
from xml.etree.ElementTree import Element, ParseError, XMLPullParser

CODE_RANGE_PATTERN = re.compile(r"\s*\([A-Z]\w\w(-[A-Z]\w\w)?\)$")


@dataclass(slots=True)
class Icd10Code:
    """A code: `parents` are descriptions from the category down, `phrases` inclusion terms with their lines.

    `chapter` is the title of its chapter, without the range of codes.
    """

    line: int
    name: str = ""
    description: str = ""
    parents: tuple[str, ...] = ()
    phrases: list[tuple[str, int]] = field(default_factory=list)
    chapter: str = ""

    @property
    def category(self) -> str:
        """First three characters, shared by related codes."""
        return self.name[:3]


def read_tabular(path: Path) -> list[Icd10Code]:
    """Return every code of the list, in order. Raises ValueError with the line of malformed XML."""
    parser = _TabularListParser()
    xml: XMLPullParser[Element] = XMLPullParser(("start", "end"))
    with path.open("rb") as file:
        # The XML parser reports no lines, so the file is fed to it line by line.
        for number, line in enumerate(file, 1):
            try:
                xml.feed(line)
                events = cast(list[tuple[str, Element]], list(xml.read_events()))
            except ParseError as error:
                raise ValueError(f"{path.name}:{number}: {error}") from error
            for event, element in events:
                parser.handle_xml_event(number, event, element)
    return parser.codes


class _TabularListParser:
    """Builds codes from XML events; keeps the stacks of open tags and open codes."""

    def __init__(self) -> None:
        self.codes: list[Icd10Code] = []
        self._open_tags: list[str] = []
        self._open_codes: list[Icd10Code] = []
        self._chapter = ""

    def handle_xml_event(self, line: int, event: str, element: Element) -> None:
        if event == "start":
            self._open_tags.append(element.tag)
            if element.tag == "diag":
                self._open_codes.append(Icd10Code(line, parents=tuple(code.description for code in self._open_codes)))
                self._open_codes[-1].chapter = self._chapter
                self.codes.append(self._open_codes[-1])
            return
        self._open_tags.pop()
        if element.tag == "diag":
            self._open_codes.pop()
        elif self._open_codes:
            self._set_code_field(self._open_codes[-1], line, element)
        elif self._open_tags[-1:] == ["chapter"] and element.tag == "desc":
            self._chapter = CODE_RANGE_PATTERN.sub("", _read_element_text(element))
        element.clear()  # a finished element is not needed again: keeps memory small

    def _set_code_field(self, code: Icd10Code, line: int, element: Element) -> None:
        text = _read_element_text(element)
        match (self._open_tags[-1], element.tag):
            case ("diag", "name"):
                code.name = text
            case ("diag", "desc"):
                code.description = text
            case ("inclusionTerm", "note"):
                code.phrases.append((text, line))


def _read_element_text(element: Element) -> str:
    """Return the text of an element on one line."""
    return " ".join((element.text or "").split())
