"""Plugin blocks of a spec, the merge of two layers, and `--set` overrides.

Mappings merge field by field. Lists, and blocks of another kind, are replaced as a whole: two kinds share no fields.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from factory.errors import Problem, SpecError
from factory.registry.block_paths import BLOCK_LISTS, SINGLE_BLOCKS, STEP_LISTS
from factory.yaml import Node, NodePath, SourceLocation, format_path, parse_option_value

OVERRIDE_PATH_PATTERN = re.compile(r"[^.\[\]=\s]+(\.[^.\[\]=\s]+|\[-?\d{1,6}\])*")
PATH_STEP_PATTERN = re.compile(r"([^.\[\]]+)|\[(-?\d+)\]")
INDEX_PATTERN = re.compile(r"-?\d{1,6}")


def find_role_at(steps: NodePath) -> str:
    """Return the role of the plugin block at a path; empty if there is none."""
    if steps in SINGLE_BLOCKS:
        return SINGLE_BLOCKS[steps]
    return {**BLOCK_LISTS, **STEP_LISTS}.get(steps[:-1], "") if steps and isinstance(steps[-1], int) else ""


def iterate_plugin_blocks(top: Node) -> Iterator[tuple[NodePath, str, Node]]:
    """Yield path, role and node of every plugin block, in the order of the spec format."""
    for steps, role in SINGLE_BLOCKS.items():
        if node := top.find(steps):
            yield steps, role, node
    for steps, role in BLOCK_LISTS.items():
        node = top.find(steps)
        for number, item in enumerate(node.value if node and isinstance(node.value, list) else ()):
            yield (*steps, number), role, item


def expand_bare_kinds(node: Node, steps: NodePath = ()) -> Node:
    """Expand a bare `bm25` in the place of a block to `{kind: bm25}`."""
    if isinstance(node.value, str) and find_role_at(steps):
        return Node({"kind": node}, node.location)
    if isinstance(node.value, dict) and len(steps) < 2:
        fields = {name: expand_bare_kinds(child, (*steps, name)) for name, child in node.value.items()}
        return Node(fields, node.location)
    if isinstance(node.value, list) and (steps in BLOCK_LISTS or steps in STEP_LISTS):
        items = [expand_bare_kinds(item, (*steps, number)) for number, item in enumerate(node.value)]
        return Node(items, node.location)
    return node


def overlay_nodes(base: Node | None, top: Node, steps: NodePath = ()) -> Node:
    """Merge `top` over `base`."""
    if base is None or not isinstance(base.value, dict) or not isinstance(top.value, dict):
        return top
    if find_role_at(steps) and _get_block_kind(top) not in (None, _get_block_kind(base)):
        return top
    merged = dict(base.value)
    for name, child in top.value.items():
        merged[name] = overlay_nodes(merged.get(name), child, (*steps, name))
    # A merged mapping is reported where the user first wrote it, not where a default came from.
    return Node(merged, base.location if base.location.line else top.location)


def _get_block_kind(block: Node) -> object:
    kind = block.get_child("kind")
    return kind.value if kind else None


class SpecOverride:
    """A `--set path=value` option. Raises SpecError if it does not have this form."""

    def __init__(self, text: str) -> None:
        self.text = f"--set {text}"
        path, equals, value = text.partition("=")
        if not equals or not OVERRIDE_PATH_PATTERN.fullmatch(path):
            text = "write path=value, such as data.split.test=400 or data.sources.0.file=rows.csv"
            raise self.build_override_error(text)
        self.steps: NodePath = tuple(name or int(number) for name, number in PATH_STEP_PATTERN.findall(path))
        if self.steps[0] == "profiles":
            raise self.build_override_error("profiles cannot be overridden; choose one with --profile")
        if self.steps in (("task",), ("task", "kind")):
            raise self.build_override_error("the task cannot be overridden; write another spec for another task")
        self.value = parse_option_value(value, self.text)

    def build_override_error(self, message: str) -> SpecError:
        """Return an error that names this option."""
        return SpecError([Problem(self.text, 0, 0, "", message)])

    def apply_override(self, top: Node) -> Node:
        """Return the spec with this value set. Raises SpecError if the path does not exist."""
        return self._apply_at_steps(top, self.steps, ())

    def _apply_at_steps(self, node: Node | None, rest: NodePath, parent: NodePath) -> Node:
        if not rest:
            return overlay_nodes(node, expand_bare_kinds(self.value, parent), parent)
        step = rest[0]
        if isinstance(step, str) and node and isinstance(node.value, list):
            if not INDEX_PATTERN.fullmatch(step):
                raise self.build_override_error(f"{format_path(parent)} is a list; name an item, from 0, not {step!r}")
            step = int(step)  # `sources.0` is what `sources[0]` is; in a mapping, a number is a name
        if isinstance(step, int):
            return self._apply_to_list_item(node, step, rest, parent)
        node = node or Node({}, SourceLocation("command line", within=self.text))
        if not isinstance(node.value, dict):
            raise self.build_override_error(f"{format_path(parent)} is not a mapping and has no field {step!r}")
        child = self._apply_at_steps(node.get_child(step), rest[1:], (*parent, step))
        return Node({**node.value, step: child}, node.location)

    def _apply_to_list_item(self, node: Node | None, number: int, rest: NodePath, parent: NodePath) -> Node:
        items = node.value if node and isinstance(node.value, list) else []
        if node is None or not 0 <= number < len(items):
            hint = f"its items are [0] to [{len(items) - 1}]" if items else "the list is empty; set the whole list"
            raise self.build_override_error(f"{format_path(parent)} has no item [{number}]; {hint}")
        changed = self._apply_at_steps(items[number], rest[1:], (*parent, number))
        return Node([*items[:number], changed, *items[number + 1 :]], node.location)
