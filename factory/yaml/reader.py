"""A strict YAML reader: the YAML 1.2 core schema, with the line and column of every key and list item.

A spec may come from an untrusted source. There are no anchors (an alias bomb needs one), no tags outside the core
schema and no second document; depth, size and number of nodes are limited before anything is built; and `no`, `1:30`
and `2024-01-01` are strings.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from factory.errors import Problem, SpecError
from factory.yaml.nodes import Node, NodePath, SourceLocation, format_name, format_path, format_value

MAX_BYTES = 1 << 20
MAX_DEPTH = 30
MAX_NODES = 3_000
MAX_PROBLEMS = 50
SPEC_SIZE_HINT = "a spec refers to data files and does not contain the data"
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

NULL = re.compile(r"|~|null|Null|NULL")
BOOL = re.compile(r"true|True|TRUE|false|False|FALSE")
INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
CONTROL_CHARACTER = re.compile(r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
REFUSED_PATTERNS = (
    (CONTROL_CHARACTER, "contains a control character; remove it"),
    (re.compile(r"^ *\t[ \t]*[^\s#]", re.MULTILINE), "a tab in the indentation; use spaces"),
)


def read_spec_file(path: Path) -> Node:
    """Read a spec file as nodes. Raises SpecError with every problem; messages show the path as given."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise SpecError([Problem(str(path), 0, 0, "", f"cannot be read: {error.strerror or error}")]) from None
    if len(raw) > MAX_BYTES:
        raise SpecError([Problem(str(path), 0, 0, "", f"larger than 1 MiB; {SPEC_SIZE_HINT}")])
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8", errors="replace")
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        raise SpecError([Problem(str(path), line, column, "", "not UTF-8; save the file as UTF-8")]) from None
    return parse_spec_text(text, str(path))


def parse_spec_text(text: str, file: str) -> Node:
    """Parse the text of a spec, whose top level must be a mapping. Raises SpecError with every problem."""
    reader = _YamlReader(text, file)
    top = reader.parse_document(SourceLocation("spec", 1, 1))
    if top is not None and not isinstance(top.value, dict):
        message = "a spec is a mapping of fields, such as `name: my-specialist`"
        reader.add_problem(message, top.location.line, top.location.column)
    return reader.get_result(top)


def parse_option_value(text: str, option: str) -> Node:
    """Parse the value of a command-line option as one-line YAML; no text is the empty string. Raises SpecError."""
    location = SourceLocation("command line", within=option)
    if not text:
        return Node("", location)
    reader = _YamlReader(text, option, fixed_location=location)
    return reader.get_result(reader.parse_document(location))


class _StopReadingError(Exception):
    """Raised to stop parsing when further problems would be too many or misleading."""


class _YamlReader:
    """Builds nodes from parser events and collects problems, continuing after those that allow it."""

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

    def add_problem_at(self, event: Any, message: str, steps: NodePath = ()) -> None:
        self.add_problem(message, event.start_mark.line + 1, event.start_mark.column + 1, steps)

    def get_result(self, top: Node | None) -> Node:
        if self.problems or top is None:
            raise SpecError(self.problems)
        return top

    def parse_document(self, location: SourceLocation) -> Node | None:
        """Parse the only document of the text; None if a problem stopped the parser."""
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        try:
            self._check_characters()
            self.events = yaml.parse(self.text, Loader=loader)
            return self._parse_single_document(location)
        except _StopReadingError:
            pass
        except yaml.MarkedYAMLError as error:
            self.problems.append(self._build_syntax_problem(error))
        return None

    def _parse_single_document(self, location: SourceLocation) -> Node | None:
        next(self.events)  # stream start
        start = next(self.events)
        if not isinstance(start, yaml.DocumentStartEvent):
            self.add_problem("empty; a spec starts with `apiVersion: factory/v1`", location.line, location.column)
            return None
        if start.version or start.tags:
            self.add_problem_at(start, "% directives are not supported; remove the line")
        top = self._parse_node(next(self.events), (), location)
        next(self.events)  # document end
        after = next(self.events)
        if isinstance(after, yaml.DocumentStartEvent):
            self.add_problem_at(after, "a second document; keep one spec per file and remove the `---`")
        return top

    def _parse_node(self, event: Any, steps: NodePath, location: SourceLocation) -> Node:
        self._check_size_limits(event, steps)
        anchor = format_name(str(event.anchor))
        if isinstance(event, yaml.AliasEvent):
            # One problem per anchor is enough: an alias is reported only if its anchor was not.
            if event.anchor not in self.anchors:
                self.add_problem_at(event, f"the alias *{anchor} is not supported; write out the value", steps)
            return Node(None, location)
        if event.anchor is not None:
            self.anchors.add(event.anchor)
            text = f"the anchor &{anchor} is not supported; write out the value at each *{anchor}"
            self.add_problem_at(event, text, steps)
        if event.tag is not None and event.tag != "!" and event.tag not in CORE_TAGS:
            tag = format_name(event.tag.replace("tag:yaml.org,2002:", "!!"))
            self.add_problem_at(event, f"the tag {tag} is not supported; a spec is plain data, remove it", steps)
        if isinstance(event, yaml.MappingStartEvent):
            return Node(self._parse_mapping(steps), location)
        if isinstance(event, yaml.SequenceStartEvent):
            items: list[Node] = []
            while not isinstance(item := next(self.events), yaml.SequenceEndEvent):
                items.append(self._parse_node(item, (*steps, len(items)), self._locate_event(item)))
            return Node(items, location)
        return Node(self._parse_scalar(event, steps), location)

    def _check_size_limits(self, event: Any, steps: NodePath) -> None:
        self.node_count += 1
        if self.node_count > MAX_NODES:
            self.add_problem_at(event, f"more than {MAX_NODES} values; {SPEC_SIZE_HINT}")
            raise _StopReadingError
        if len(steps) > MAX_DEPTH:
            self.add_problem_at(event, f"nested deeper than {MAX_DEPTH} levels; a spec needs fewer")
            raise _StopReadingError

    def _parse_mapping(self, steps: NodePath) -> dict[str, Node]:
        fields: dict[str, Node] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            name = self._parse_mapping_key(event, steps)
            value = self._parse_node(next(self.events), (*steps, name), self._locate_event(event))
            if name in fields:
                first = fields[name].location.line
                where = f", first in line {first}" if first else ""
                self.add_problem_at(event, f"duplicate field{where}; keep one", (*steps, name))
            fields.setdefault(name, value)
        return fields

    def _parse_mapping_key(self, event: Any, steps: NodePath) -> str:
        if not isinstance(event, yaml.ScalarEvent):
            message = "a field name must be plain text; quote a value that starts with this character"
            self.add_problem_at(event, message, steps)
            raise _StopReadingError
        if not isinstance(self._parse_node(event, steps, self._locate_event(event)).value, str):
            self.add_problem_at(event, f"a field name must be text; quote it: '{format_name(event.value)}'", steps)
        return str(event.value)

    def _parse_scalar(self, event: Any, steps: NodePath) -> Any:
        try:
            return _resolve_scalar(event.value, CORE_TAGS.get(event.tag, "str" if event.tag or event.style else ""))
        except ValueError as error:
            self.add_problem_at(event, str(error), steps)
            return None

    def _locate_event(self, event: Any) -> SourceLocation:
        return self.fixed_location or SourceLocation("spec", event.start_mark.line + 1, event.start_mark.column + 1)

    def _check_characters(self) -> None:
        for pattern, message in REFUSED_PATTERNS:
            if match := pattern.search(self.text):
                before = self.text[: match.start()]
                self.add_problem(message, before.count("\n") + 1, match.start() - before.rfind("\n"))
                raise _StopReadingError

    def _build_syntax_problem(self, error: yaml.MarkedYAMLError) -> Problem:
        what, mark = error.problem or "cannot be parsed", error.problem_mark or error.context_mark
        if mark is not None and mark.index >= len(self.text.rstrip()):
            mark = error.context_mark or mark  # point to the unclosed bracket or quote, not to the end of the file
        remedy = next((text for part, text in YAML_REMEDIES.items() if part in f"{error.context} {what}"), "")
        at = (0, 0) if self.fixed_location or mark is None else (mark.line + 1, mark.column + 1)
        return Problem(self.file, *at, "", f"not YAML: {what}" + (f"; {remedy}" if remedy else ""))


def _resolve_scalar(text: str, tag: str) -> Any:
    """Convert a scalar to its Python value; `tag` is its explicit core type, or "". Raises ValueError for a value of
    another type, a number that is not finite, or one that is too large.
    """
    resolved, value = _resolve_untagged(text) if tag != "str" else ("str", text)
    if tag not in ("", resolved):
        raise ValueError(f"{format_value(text)} is not a !!{tag}; remove the tag")
    return value


def _resolve_untagged(text: str) -> tuple[str, Any]:
    if NULL.fullmatch(text):
        return "null", None
    if BOOL.fullmatch(text):
        return "bool", text.lower() == "true"
    if len(text) > 40 or not (INT.fullmatch(text) or FLOAT.fullmatch(text) or NOT_FINITE.fullmatch(text)):
        return "str", text
    if NOT_FINITE.fullmatch(text):
        raise ValueError(f"{text} is not supported; use a finite number")
    whole = INT.fullmatch(text)
    number = (int(text, 0) if text[:2] in ("0o", "0x") else int(text)) if whole else float(text)
    if abs(number) > sys.maxsize if whole else math.isinf(number):
        raise ValueError(f"{text} is too large a number; quote it if it is text")
    return "int" if whole else "float", number
