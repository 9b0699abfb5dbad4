"""YAML with the line and column of every key and list item, read as the YAML 1.2 core schema says and nothing more.

A spec is data that a stranger may have sent. So there are no anchors (an alias bomb needs one), no tags but the core
schema's, no second document; depth, size and count are bounded before anything is built; and `no`, `1:30` and
`2024-01-01` are the text that they look like.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from factory.errors import Problem, SpecError
from factory.source.nodes import Node, Place, Steps, dotted, name_shown
from factory.source.scalars import resolve_scalar

MAX_BYTES = 1 << 20
MAX_DEPTH = 30
MAX_NODES = 3_000
MAX_PROBLEMS = 50
SMALL = "a spec names its data, it does not hold it"
CORE_TAGS = {f"tag:yaml.org,2002:{name}": name for name in ("str", "int", "float", "bool", "null", "map", "seq")}
REMEDIES = {
    "mapping values are not allowed": "check the indentation, or quote text that holds ': '",
    "did not find expected key": "check the indentation, or quote text that starts with { or [",
    "did not find expected '-'": "check the indentation",
    "could not find expected ':'": "a field is written `name: value`",
    "cannot start any token": "quote a value that starts with this character",
    "did not find expected ',' or": "a bracket is not closed, or a comma is missing",
    "did not find expected node content": "a value is missing, or a bracket is not closed",
    "unexpected end of stream": "a quote or bracket is not closed",
}

CONTROL = re.compile(r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
REFUSED = (
    (CONTROL, "a control character; remove it"),
    (re.compile(r"^ *\t[ \t]*[^\s#]", re.MULTILINE), "a tab in the indentation; use spaces"),
)


def read(path: Path) -> Node:
    """The spec file as nodes. Raises SpecError that names every problem, with the path as it was given."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise SpecError([Problem(str(path), 0, 0, "", f"can not be read: {error.strerror or error}")]) from None
    if len(raw) > MAX_BYTES:
        raise SpecError([Problem(str(path), 0, 0, "", f"larger than 1 MiB; {SMALL}")])
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8", errors="replace")
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        raise SpecError([Problem(str(path), line, column, "", "not UTF-8; save the file in that encoding")]) from None
    return parse(text, str(path))


def parse(text: str, file: str) -> Node:
    """The text of a spec as nodes; its top is a mapping. Raises SpecError."""
    reader = _Reader(text, file)
    top = reader.document(Place("spec", 1, 1))
    if top is not None and not isinstance(top.value, dict):
        reader.say("a spec is a mapping of fields, such as `name: my-specialist`", top.place.line, top.place.column)
    return reader.result(top)


def parse_value(text: str, option: str) -> Node:
    """The value of a command-line option, as YAML on one line; nothing at all is the empty text. Raises SpecError."""
    place = Place("command line", within=option)
    if not text:
        return Node("", place)
    reader = _Reader(text, option, fixed=place)
    return reader.result(reader.document(place))


class _StopReadingError(Exception):
    """Reading on would only cost time or mislead."""


class _Reader:
    """Builds nodes from parser events; collects problems, and goes on where going on makes sense."""

    def __init__(self, text: str, file: str, fixed: Place | None = None) -> None:
        self.text, self.file, self.fixed = text, file, fixed
        self.problems: list[Problem] = []
        self.nodes = 0
        self.anchors: set[str] = set()
        self.events: Iterator[Any] = iter(())

    def say(self, message: str, line: int, column: int, steps: Steps = ()) -> None:
        at = (0, 0) if self.fixed else (line, column)
        self.problems.append(Problem(self.file, *at, dotted(steps), message))
        if len(self.problems) >= MAX_PROBLEMS:
            raise _StopReadingError

    def mark(self, mark: Any, message: str, steps: Steps = ()) -> None:
        self.say(message, mark.line + 1, mark.column + 1, steps)

    def result(self, top: Node | None) -> Node:
        if self.problems or top is None:
            raise SpecError(self.problems)
        return top

    def document(self, place: Place) -> Node | None:
        """The one document of the text, or None after something was said."""
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        try:
            self._characters()
            self.events = yaml.parse(self.text, Loader=loader)
            return self._only(place)
        except _StopReadingError:
            return None
        except yaml.MarkedYAMLError as error:
            self.problems.append(self._unparsed(error))
        return None

    def _only(self, place: Place) -> Node | None:
        next(self.events)
        start = next(self.events)
        if not isinstance(start, yaml.DocumentStartEvent):
            self.say("empty; a spec starts with `apiVersion: factory/v1`", place.line, place.column)
            return None
        if start.version or start.tags:
            self.mark(start.start_mark, "a spec has no % directives; remove the line")
        top = self._node(next(self.events), (), place)
        next(self.events)
        after = next(self.events)
        if isinstance(after, yaml.DocumentStartEvent):
            self.mark(after.start_mark, "a second document; one file is one spec, remove the `---`")
        return top

    def _node(self, event: Any, steps: Steps, place: Place) -> Node:
        self._bounds(event, steps)
        if isinstance(event, yaml.AliasEvent):
            anchor = name_shown(str(event.anchor))
            if event.anchor not in self.anchors:
                self.mark(event.start_mark, f"the alias *{anchor} is refused; write the value out", steps)
            return Node(None, place)
        if event.anchor is not None:
            anchor = name_shown(str(event.anchor))
            self.anchors.add(event.anchor)
            text = f"the anchor &{anchor} is refused; write the value where *{anchor} stands"
            self.mark(event.start_mark, text, steps)
        if event.tag is not None and event.tag != "!" and event.tag not in CORE_TAGS:
            tag = name_shown(event.tag.replace("tag:yaml.org,2002:", "!!"))
            self.mark(event.start_mark, f"the tag {tag} is refused; a spec is plain data, remove it", steps)
        if isinstance(event, yaml.MappingStartEvent):
            return Node(self._mapping(steps), place)
        if isinstance(event, yaml.SequenceStartEvent):
            return Node(self._sequence(steps), place)
        return Node(self._scalar(event, steps), place)

    def _bounds(self, event: Any, steps: Steps) -> None:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            self.mark(event.start_mark, f"more than {MAX_NODES} values; {SMALL}")
            raise _StopReadingError
        if len(steps) > MAX_DEPTH:
            self.mark(event.start_mark, f"nested deeper than {MAX_DEPTH} levels; nothing in a spec is")
            raise _StopReadingError

    def _mapping(self, steps: Steps) -> dict[str, Node]:
        found: dict[str, Node] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            name = self._key(event, steps)
            value = self._node(next(self.events), (*steps, name), self._place(event))
            if name in found:
                first = found[name].place.line
                where = f", first in line {first}" if first else ""
                self.mark(event.start_mark, f"written twice{where}; keep one", (*steps, name))
            found.setdefault(name, value)
        return found

    def _key(self, event: Any, steps: Steps) -> str:
        if not isinstance(event, yaml.ScalarEvent):
            self.mark(event.start_mark, "a field's name is one plain word; quote a value that starts with this", steps)
            raise _StopReadingError
        value = self._node(event, steps, self._place(event)).value
        if not isinstance(value, str):
            self.mark(event.start_mark, f"a field's name is text; quote it: '{name_shown(event.value)}'", steps)
        return str(event.value)

    def _sequence(self, steps: Steps) -> list[Node]:
        found: list[Node] = []
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            found.append(self._node(event, (*steps, len(found)), self._place(event)))
        return found

    def _scalar(self, event: Any, steps: Steps) -> Any:
        try:
            return resolve_scalar(event.value, CORE_TAGS.get(event.tag, "str" if event.tag or event.style else ""))
        except ValueError as error:
            self.mark(event.start_mark, str(error), steps)
            return None

    def _place(self, event: Any) -> Place:
        return self.fixed or Place("spec", event.start_mark.line + 1, event.start_mark.column + 1)

    def _characters(self) -> None:
        for pattern, message in REFUSED:
            if found := pattern.search(self.text):
                before = self.text[: found.start()]
                self.say(message, before.count("\n") + 1, found.start() - before.rfind("\n"))
                raise _StopReadingError

    def _unparsed(self, error: yaml.MarkedYAMLError) -> Problem:
        what, mark = error.problem or "can not be parsed", error.problem_mark or error.context_mark
        if mark is not None and mark.index >= len(self.text.rstrip()):
            mark = error.context_mark or mark  # what was never closed, rather than the end of the file
        remedy = next((text for part, text in REMEDIES.items() if part in f"{error.context} {what}"), "")
        at = (0, 0) if self.fixed or mark is None else (mark.line + 1, mark.column + 1)
        return Problem(self.file, *at, "", f"not YAML: {what}" + (f"; {remedy}" if remedy else ""))
