"""Values of a spec with their source location, so that every error message can point to a line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

NodePath = tuple[str | int, ...]
"""The path of a value in the tree: field names and list indices from the top."""


@dataclass(frozen=True, slots=True)
class SourceLocation:
    """The origin of a value (spec, profile, command line, ...), with line and column from 1 (0: not in the file).

    `within` is the prefix of a value in a profile (`profiles.smoke`), or the complete command-line option.
    """

    origin: str
    line: int = 0
    column: int = 0
    within: str = ""


@dataclass(frozen=True, slots=True)
class Node:
    """A value and its location: a mapping or list of nodes, or a plain string, number, boolean or None."""

    value: Any
    location: SourceLocation

    def to_plain(self) -> Any:
        """Return the value without locations, as plain JSON data."""
        if isinstance(self.value, dict):
            return {name: child.to_plain() for name, child in self.value.items()}
        return [child.to_plain() for child in self.value] if isinstance(self.value, list) else self.value

    def get_child(self, step: str | int) -> Node | None:
        """Return the child node of a field name or list index, or None."""
        if isinstance(self.value, dict):
            return self.value.get(step) if isinstance(step, str) else None
        if isinstance(self.value, list) and isinstance(step, int) and 0 <= step < len(self.value):
            return self.value[step]  # type: ignore[no-any-return]
        return None

    def find(self, steps: Sequence[str | int]) -> Node | None:
        """Return the node at a relative path, or None."""
        node: Node | None = self
        for step in steps:
            node = node.get_child(step) if node else None
        return node


def build_node(value: Any, location: SourceLocation) -> Node:
    """Convert plain data to nodes that all have the same location."""
    if isinstance(value, Mapping):
        return Node({str(name): build_node(child, location) for name, child in value.items()}, location)
    if isinstance(value, list | tuple):
        return Node([build_node(child, location) for child in value], location)
    return Node(value, location)


def format_path(steps: Sequence[str | int]) -> str:
    """Format a path as users write it: `data.sources[0].chapters`."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{format_name(step)}" for step in steps)
    return text.removeprefix(".")


def format_name(name: str, limit: int = 60) -> str:
    """Format a name for a message: on one line, printable, shortened to `limit` characters."""
    text = name if name.isprintable() and name else repr(name)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def format_value(value: Any, limit: int = 60) -> str:
    """Format a value for a message: as in YAML with strings quoted, on one line, shortened to `limit` characters."""
    text = {"None": "nothing", "True": "true", "False": "false"}.get(repr(value), repr(value))
    return text if len(text) <= limit else text[: limit - 1] + "…"
