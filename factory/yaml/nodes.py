"""A value and where it was said: what every reader of a spec hands on, so that any complaint can point to a line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

NodePath = tuple[str | int, ...]
"""Where a value stands in the tree: names and list indices from the top."""


@dataclass(frozen=True, slots=True)
class SourceLocation:
    """Where a value was said: by whom, at which line and column (from 1; 0 when not in the file), and inside of what.

    `within` is the prefix of a value in a profile (`profiles.smoke`), or the whole option of one on the command line.
    """

    origin: str
    line: int = 0
    column: int = 0
    within: str = ""


@dataclass(frozen=True, slots=True)
class Node:
    """A value and its place: a mapping or list of nodes, or a plain text, number, boolean or None."""

    value: Any
    location: SourceLocation

    def to_plain(self) -> Any:
        """The value without places, as JSON has it."""
        if isinstance(self.value, dict):
            return {name: child.to_plain() for name, child in self.value.items()}
        return [child.to_plain() for child in self.value] if isinstance(self.value, list) else self.value

    def get_child(self, step: str | int) -> Node | None:
        """The node one step down, or None."""
        if isinstance(self.value, dict):
            return self.value.get(step) if isinstance(step, str) else None
        if isinstance(self.value, list) and isinstance(step, int) and 0 <= step < len(self.value):
            return self.value[step]  # type: ignore[no-any-return]
        return None

    def find(self, steps: Sequence[str | int]) -> Node | None:
        """The node at some steps down, or None."""
        node: Node | None = self
        for step in steps:
            node = node.get_child(step) if node else None
        return node


def build_node(value: Any, place: SourceLocation) -> Node:
    """Plain data as nodes that all have one place."""
    if isinstance(value, Mapping):
        return Node({str(name): build_node(child, place) for name, child in value.items()}, place)
    if isinstance(value, list | tuple):
        return Node([build_node(child, place) for child in value], place)
    return Node(value, place)


def format_path(steps: Sequence[str | int]) -> str:
    """Steps as a person writes them: `data.sources[0].chapters`."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{format_name(step)}" for step in steps)
    return text.removeprefix(".")


def format_name(name: str, limit: int = 60) -> str:
    """A name in a message: on one line, nothing unprintable in it, cut when long."""
    text = name if name.isprintable() and name else repr(name)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def format_value(value: Any, limit: int = 60) -> str:
    """A value in a message: as it is written, text quoted, on one line, cut when long."""
    text = {"None": "nothing", "True": "true", "False": "false"}.get(repr(value), repr(value))
    return text if len(text) <= limit else text[: limit - 1] + "…"
