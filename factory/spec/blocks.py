"""Which places of a spec hold plugin blocks, and how one layer of a spec is laid over another.

Mappings merge field by field. Lists, and a block whose kind differs, replace what was there as a whole: half of one
plugin's fields say nothing to another.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Protocol

from factory.api import Plugin
from factory.errors import Problem, SpecError
from factory.registry.block_paths import BLOCK_LISTS, SINGLE_BLOCKS
from factory.yaml import Node, NodePath, SourceLocation, format_path, parse_option_value

OVERRIDE_PATH_PATTERN = re.compile(r"[^.\[\]=\s]+(\.[^.\[\]=\s]+|\[\d{1,6}\])*")
PATH_STEP_PATTERN = re.compile(r"([^.\[\]]+)|\[(\d+)\]")


class PluginLookup(Protocol):
    """What is known about plugins: `registry.Registry`, which stands above this layer."""

    def find(self, role: str, kind: str) -> type[Plugin]:
        """The class of a kind. Raises FactoryError that says what else there is."""

    def list_classes(self, role: str | None = None) -> list[type[Plugin]]:
        """Every class of a role."""


def find_role_at(steps: NodePath) -> str:
    """The role of the plugin block that stands at some steps, or nothing."""
    if steps in SINGLE_BLOCKS:
        return SINGLE_BLOCKS[steps]
    return BLOCK_LISTS.get(steps[:-1], "") if steps and isinstance(steps[-1], int) else ""


def iterate_plugin_blocks(top: Node) -> Iterator[tuple[NodePath, str, Node]]:
    """Every plugin block of a spec with its role, in the order of the spec's format."""
    for steps, role in SINGLE_BLOCKS.items():
        if node := top.find(steps):
            yield steps, role, node
    for steps, role in BLOCK_LISTS.items():
        node = top.find(steps)
        for number, item in enumerate(node.value if node and isinstance(node.value, list) else ()):
            yield (*steps, number), role, item


def expand_bare_kinds(node: Node, steps: NodePath = ()) -> Node:
    """The same nodes with every bare `bm25` in the place of a block written out as `{kind: bm25}`."""
    if isinstance(node.value, str) and find_role_at(steps):
        return Node({"kind": node}, node.location)
    if isinstance(node.value, dict) and len(steps) < 2:
        return Node({name: expand_bare_kinds(child, (*steps, name)) for name, child in node.value.items()}, node.location)
    if isinstance(node.value, list) and steps in BLOCK_LISTS:
        return Node([expand_bare_kinds(item, (*steps, number)) for number, item in enumerate(node.value)], node.location)
    return node


def overlay_nodes(base: Node | None, top: Node, steps: NodePath = ()) -> Node:
    """`top` laid over `base`. A merged mapping stands where a person first wrote it."""
    if base is None or not isinstance(base.value, dict) or not isinstance(top.value, dict):
        return top
    if find_role_at(steps) and _get_block_kind(top) not in (None, _get_block_kind(base)):
        return top
    merged = dict(base.value)
    for name, child in top.value.items():
        merged[name] = overlay_nodes(merged.get(name), child, (*steps, name))
    return Node(merged, base.location if base.location.line else top.location)


def _get_block_kind(block: Node) -> object:
    kind = block.get_child("kind")
    return kind.value if kind else None


class SpecOverride:
    """One `path=value` of the command line. Raises SpecError when it has no such form."""

    def __init__(self, text: str) -> None:
        self.text = f"--set {text}"
        path, equals, value = text.partition("=")
        if not equals or not OVERRIDE_PATH_PATTERN.fullmatch(path):
            raise self.build_override_error("write path=value, such as data.split.test=400 or data.sources[0].kind=icd10")
        self.steps: NodePath = tuple(name or int(number) for name, number in PATH_STEP_PATTERN.findall(path))
        if self.steps[0] == "profiles":
            raise self.build_override_error("profiles are the spec's own; choose one by --profile")
        if self.steps in (("task",), ("task", "kind")):
            raise self.build_override_error("the task is the spec's own; write another spec for another task")
        self.value = parse_option_value(value, self.text)

    def build_override_error(self, message: str) -> SpecError:
        """The error that names this option."""
        return SpecError([Problem(self.text, 0, 0, "", message)])

    def apply_override(self, top: Node) -> Node:
        """The spec with this value in its place. Raises SpecError when the path leads nowhere."""
        return self._apply_at_steps(top, self.steps, ())

    def _apply_at_steps(self, node: Node | None, rest: NodePath, done: NodePath) -> Node:
        if not rest:
            return overlay_nodes(node, expand_bare_kinds(self.value, done), done)
        step = rest[0]
        if isinstance(step, int):
            return self._apply_to_list_item(node, step, rest, done)
        node = node or Node({}, SourceLocation("command line", within=self.text))
        if not isinstance(node.value, dict):
            raise self.build_override_error(f"{format_path(done)} is no mapping; it has no {step!r}")
        child = self._apply_at_steps(node.get_child(step), rest[1:], (*done, step))
        return Node({**node.value, step: child}, node.location)

    def _apply_to_list_item(self, node: Node | None, number: int, rest: NodePath, done: NodePath) -> Node:
        items = node.value if node and isinstance(node.value, list) else []
        if node is None or number >= len(items):
            has = f"its last item is [{len(items) - 1}]" if items else "it is empty here; give the whole list"
            raise self.build_override_error(f"{format_path(done)} has no item [{number}]; {has}")
        changed = self._apply_at_steps(items[number], rest[1:], (*done, number))
        return Node([*items[:number], changed, *items[number + 1 :]], node.location)
