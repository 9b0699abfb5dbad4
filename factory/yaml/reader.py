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
from factory.yaml.nodes import Node, NodePath, SourceLocation, format_name, format_path
from factory.yaml.scalars import resolve_scalar

MAX_BYTES = 1 << 20
MAX_DEPTH = 30
MAX_NODES = 3_000
MAX_PROBLEMS = 50
SPEC_SIZE_HINT = "a spec names its data, it does not hold it"
CORE_TAGS = {f"tag:yaml.org,2002:{name}": name for name in ("str", "int", "float", "bool", "null", "map", "seq")}
YAML_REMEDIES = {
    "mapping values are not allowed": "check the indentation, or quote text that holds ': '",
    "did not find expected key": "check the indentation, or quote text that starts with { or [",
    "did not find expected '-'": "check the indentation",
    "could not find expected ':'": "a field is written `name: value`",
    "cannot start any token": "quote a value that starts with this character",
    "did not find expected ',' or": "a bracket is not closed, or a comma is missing",
    "did not find expected node content": "a value is missing, or a bracket is not closed",
    "unexpected end of stream": "a quote or bracket is not closed",
}

CONTROL_CHARACTER = re.compile(r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
REFUSED_PATTERNS = (
    (CONTROL_CHARACTER, "a control character; remove it"),
    (re.compile(r"^ *\t[ \t]*[^\s#]", re.MULTILINE), "a tab in the indentation; use spaces"),
)


def read_spec_file(path: Path) -> Node:
    """The spec file as nodes. Raises SpecError that names every problem, with the path as it was given."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise SpecError([Problem(str(path), 0, 0, "", f"can not be read: {error.strerror or error}")]) from None
    if len(raw) > MAX_BYTES:
        raise SpecError([Problem(str(path), 0, 0, "", f"larger than 1 MiB; {SPEC_SIZE_HINT}")])
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8", errors="replace")
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        raise SpecError([Problem(str(path), line, column, "", "not UTF-8; save the file in that encoding")]) from None
    return parse_spec_text(text, str(path))


def parse_spec_text(text: str, file: str) -> Node:
    """The text of a spec as nodes; its top is a mapping. Raises SpecError."""
    reader = _YamlReader(text, file)
    top = reader.parse_document(SourceLocation("spec", 1, 1))
    if top is not None and not isinstance(top.value, dict):
        reader.add_problem("a spec is a mapping of fields, such as `name: my-specialist`", top.location.line, top.location.column)
    return reader.get_result(top)


def parse_option_value(text: str, option: str) -> Node:
    """The value of a command-line option, as YAML on one line; nothing at all is the empty text. Raises SpecError."""
    place = SourceLocation("command line", within=option)
    if not text:
        return Node("", place)
    reader = _YamlReader(text, option, fixed_location=place)
    return reader.get_result(reader.parse_document(place))


class _StopReadingError(Exception):
    """Reading on would only cost time or mislead."""


class _YamlReader:
    """Builds nodes from parser events; collects problems, and goes on where going on makes sense."""

    def __init__(self, text: str, file: str, fixed_location: SourceLocation | None = None) -> None:
        self.text, self.file, self.fixed_location = text, file, fixed_location
        self.problems: list[Problem] = []
        self.node_count = 0
        self.anchors: set[str] = set()
        self.events: Iterator[Any] = iter(())

    def add_problem(self, message: str, line: int, column: int, steps: NodePath = ()) -> None:
        at = (0, 0) if self.fixed_location else (line, column)
        self.problems.append(Problem(self.file, *at, format_path(steps), message))
        if len(self.problems) >= MAX_PROBLEMS:
            raise _StopReadingError

    def add_problem_at(self, mark: Any, message: str, steps: NodePath = ()) -> None:
        self.add_problem(message, mark.line + 1, mark.column + 1, steps)

    def get_result(self, top: Node | None) -> Node:
        if self.problems or top is None:
            raise SpecError(self.problems)
        return top

    def parse_document(self, place: SourceLocation) -> Node | None:
        """The one document of the text, or None after something was said."""
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        try:
            self._check_characters()
            self.events = yaml.parse(self.text, Loader=loader)
            return self._parse_single_document(place)
        except _StopReadingError:
            return None
        except yaml.MarkedYAMLError as error:
            self.problems.append(self._build_syntax_problem(error))
        return None

    def _parse_single_document(self, place: SourceLocation) -> Node | None:
        next(self.events)
        start = next(self.events)
        if not isinstance(start, yaml.DocumentStartEvent):
            self.add_problem("empty; a spec starts with `apiVersion: factory/v1`", place.line, place.column)
            return None
        if start.version or start.tags:
            self.add_problem_at(start.start_mark, "a spec has no % directives; remove the line")
        top = self._parse_node(next(self.events), (), place)
        next(self.events)
        after = next(self.events)
        if isinstance(after, yaml.DocumentStartEvent):
            self.add_problem_at(after.start_mark, "a second document; one file is one spec, remove the `---`")
        return top

    def _parse_node(self, event: Any, steps: NodePath, place: SourceLocation) -> Node:
        self._check_size_limits(event, steps)
        if isinstance(event, yaml.AliasEvent):
            anchor = format_name(str(event.anchor))
            if event.anchor not in self.anchors:
                self.add_problem_at(event.start_mark, f"the alias *{anchor} is refused; write the value out", steps)
            return Node(None, place)
        if event.anchor is not None:
            anchor = format_name(str(event.anchor))
            self.anchors.add(event.anchor)
            text = f"the anchor &{anchor} is refused; write the value where *{anchor} stands"
            self.add_problem_at(event.start_mark, text, steps)
        if event.tag is not None and event.tag != "!" and event.tag not in CORE_TAGS:
            tag = format_name(event.tag.replace("tag:yaml.org,2002:", "!!"))
            self.add_problem_at(event.start_mark, f"the tag {tag} is refused; a spec is plain data, remove it", steps)
        if isinstance(event, yaml.MappingStartEvent):
            return Node(self._parse_mapping(steps), place)
        if isinstance(event, yaml.SequenceStartEvent):
            return Node(self._parse_sequence(steps), place)
        return Node(self._parse_scalar(event, steps), place)

    def _check_size_limits(self, event: Any, steps: NodePath) -> None:
        self.node_count += 1
        if self.node_count > MAX_NODES:
            self.add_problem_at(event.start_mark, f"more than {MAX_NODES} values; {SPEC_SIZE_HINT}")
            raise _StopReadingError
        if len(steps) > MAX_DEPTH:
            self.add_problem_at(event.start_mark, f"nested deeper than {MAX_DEPTH} levels; nothing in a spec is")
            raise _StopReadingError

    def _parse_mapping(self, steps: NodePath) -> dict[str, Node]:
        found: dict[str, Node] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            name = self._parse_mapping_key(event, steps)
            value = self._parse_node(next(self.events), (*steps, name), self._locate_event(event))
            if name in found:
                first = found[name].location.line
                where = f", first in line {first}" if first else ""
                self.add_problem_at(event.start_mark, f"written twice{where}; keep one", (*steps, name))
            found.setdefault(name, value)
        return found

    def _parse_mapping_key(self, event: Any, steps: NodePath) -> str:
        if not isinstance(event, yaml.ScalarEvent):
            self.add_problem_at(event.start_mark, "a field's name is one plain word; quote a value that starts with this", steps)
            raise _StopReadingError
        value = self._parse_node(event, steps, self._locate_event(event)).value
        if not isinstance(value, str):
            self.add_problem_at(event.start_mark, f"a field's name is text; quote it: '{format_name(event.value)}'", steps)
        return str(event.value)

    def _parse_sequence(self, steps: NodePath) -> list[Node]:
        found: list[Node] = []
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            found.append(self._parse_node(event, (*steps, len(found)), self._locate_event(event)))
        return found

    def _parse_scalar(self, event: Any, steps: NodePath) -> Any:
        try:
            return resolve_scalar(event.value, CORE_TAGS.get(event.tag, "str" if event.tag or event.style else ""))
        except ValueError as error:
            self.add_problem_at(event.start_mark, str(error), steps)
            return None

    def _locate_event(self, event: Any) -> SourceLocation:
        return self.fixed_location or SourceLocation("spec", event.start_mark.line + 1, event.start_mark.column + 1)

    def _check_characters(self) -> None:
        for pattern, message in REFUSED_PATTERNS:
            if found := pattern.search(self.text):
                before = self.text[: found.start()]
                self.add_problem(message, before.count("\n") + 1, found.start() - before.rfind("\n"))
                raise _StopReadingError

    def _build_syntax_problem(self, error: yaml.MarkedYAMLError) -> Problem:
        what, mark = error.problem or "can not be parsed", error.problem_mark or error.context_mark
        if mark is not None and mark.index >= len(self.text.rstrip()):
            mark = error.context_mark or mark  # what was never closed, rather than the end of the file
        remedy = next((text for part, text in YAML_REMEDIES.items() if part in f"{error.context} {what}"), "")
        at = (0, 0) if self.fixed_location or mark is None else (mark.line + 1, mark.column + 1)
        return Problem(self.file, *at, "", f"not YAML: {what}" + (f"; {remedy}" if remedy else ""))
